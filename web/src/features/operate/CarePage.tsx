import { Link } from '@tanstack/react-router';
import { useBackups } from '../../api/operate';
import { Ago } from '../../ui/Ago';
import { instant } from '../../ui/format/time';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import classes from './Operate.module.css';
import { ZONE } from './zone';

/** Backups and rehearsals of a restore: how old, how they went, how long a restore takes. */
export function CarePage() {
  const { data, isPending, isError, error, refetch } = useBackups();
  return (
    <Page
      title="Backups"
      lead="A backup counts only once it was restored: rehearsals do that into a scratch folder and verify the books there."
    >
      {isPending && <Loading />}
      {isError && !data && (
        <Failed error={error} retry={() => void refetch()} what="Backups could not be read" />
      )}
      {data && (
        <>
          <Panel>
            <dl className={classes.figures}>
              <div>
                <dt>Newest backup</dt>
                <dd>{data.newest_backup ? <Ago at={data.newest_backup} zone={ZONE} /> : 'none yet'}</dd>
              </div>
              <div>
                <dt>Last good rehearsal</dt>
                <dd>{data.newest_rehearsal ? <Ago at={data.newest_rehearsal} zone={ZONE} /> : 'none yet'}</dd>
              </div>
            </dl>
            {!data.newest_backup && (
              <p className={classes.note}>
                Say where backups go in the <Link to="/operate/settings">settings</Link>; from then on they
                are made by themselves.
              </p>
            )}
          </Panel>
          <Panel title="History" flush>
            {data.results.length === 0 && <Empty title="Nothing was backed up yet" />}
            <ul className={classes.list}>
              {data.results.map((r) => (
                <li
                  key={`${r.kind}${r.at}`}
                  className={classes.item}
                  data-severity={r.ok ? undefined : 'critical'}
                >
                  <div className={classes.itemHead}>
                    <h3>{r.kind}</h3>
                    <span className={classes.tag}>{r.ok ? 'done' : 'failed'}</span>
                  </div>
                  <p className={classes.meta}>
                    {instant(r.at, ZONE)}
                    {r.error && `: ${r.error}`}
                  </p>
                </li>
              ))}
            </ul>
          </Panel>
        </>
      )}
    </Page>
  );
}
