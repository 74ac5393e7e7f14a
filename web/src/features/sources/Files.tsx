import { useZone } from '../../api/hooks';
import { type FileSource, useFiles } from '../../api/sources';
import { Ago } from '../../ui/Ago';
import { seconds } from '../../ui/format/duration';
import { number } from '../../ui/format/number';
import { Panel } from '../../ui/Panel';
import { Failed } from '../../ui/states';
import classes from './WhoSends.module.css';
import { fileStanding, fileTroubles } from './words';

/** Buckets and folders whose files become events. Without any there is nothing to see. */
export function Files({ project }: { project: string }) {
  const zone = useZone(project);
  const { data, isError, error, refetch } = useFiles(project);
  if (!isError && !data?.files.length) return null;
  return (
    <Panel
      title="Files"
      note="Buckets and folders that the operator of this server has watched. Each object is taken once."
      flush
    >
      {isError && !data && (
        <Failed error={error} retry={() => void refetch()} what="The state of files could not be read" />
      )}
      <ul className={classes.list}>
        {data?.files.map((f) => (
          <Row key={f.name} file={f} zone={zone} />
        ))}
      </ul>
    </Panel>
  );
}

function Row({ file, zone }: { file: FileSource; zone: string }) {
  const s = fileStanding(file);
  const waiting = Math.max(0, file.objects - file.done - file.failed.length);
  return (
    <li className={classes.source} aria-label={`Files ${file.name}`}>
      <div className={classes.who}>
        <h3>
          {file.name} <span>{file.format}</span>
        </h3>
        <p>{file.from}</p>
      </div>
      <div className={classes.how}>
        <span className={classes.standing} data-tone={s.tone}>
          {s.text}
        </span>
        <p>
          {file.seconds_left != null ? (
            `About ${seconds(file.seconds_left)} left`
          ) : (
            <>
              Looked <Ago at={file.looked_at} zone={zone} />
            </>
          )}
        </p>
      </div>
      <div className={classes.volume}>
        <progress
          className={classes.progress}
          value={file.done}
          max={Math.max(1, file.objects)}
          aria-label={`${number(file.done)} of ${number(file.objects)} objects taken`}
        />
        <p>
          <b>{number(file.done)}</b> of {number(file.objects)} objects, {number(waiting)} waiting,{' '}
          {number(file.failed.length)} failed
        </p>
        <p>
          {number(file.rows)} rows, {number(file.rejected)} refused
        </p>
      </div>
      <p className={classes.more}>
        {file.last_object && (
          <>
            Last object {file.last_object}, <Ago at={file.last_object_at} zone={zone} />
          </>
        )}
      </p>
      {fileTroubles(file).map((t) => (
        <p key={t} className={classes.trouble}>
          {t}
        </p>
      ))}
    </li>
  );
}
