import { useZone } from '../../api/hooks';
import { useSources } from '../../api/sources';
import { useNow } from '../../ui/Ago';
import { count } from '../../ui/format/number';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading, Partial } from '../../ui/states';
import { SourceRow } from './SourceRow';
import classes from './WhoSends.module.css';

/** Older than this, what the watch last saw says nothing about now. */
const STALE_MS = 120_000;

/** Every library that sends into the project: its last event, what it sends now, and what is usual for it. */
export function WhoSends({ project }: { project: string }) {
  const zone = useZone(project);
  const { data, isPending, isError, error, refetch } = useSources(project);
  const now = useNow(10_000);
  const troubled = data?.sources.filter((s) => s.state === 'silent' || s.state === 'less').length ?? 0;
  const looked = data?.watched_at ? Date.parse(data.watched_at) : null;
  return (
    <Panel
      title="Who sends"
      note={
        troubled > 0
          ? `${count(troubled, 'source')} ${troubled === 1 ? 'sends' : 'send'} less than usual.`
          : 'One line for each library, key and protocol. One that falls silent is found within minutes.'
      }
      flush
    >
      {isPending && <Loading what="Reading the sources" />}
      {isError && !data && (
        <Failed error={error} retry={() => void refetch()} what="The sources could not be read" />
      )}
      {data && (looked === null || now - looked > STALE_MS) && (
        <div className={classes.stale}>
          <Partial>Nobody is watching right now: what is shown may be old.</Partial>
        </div>
      )}
      {data && data.sources.length === 0 && (
        <Empty title="Nothing has been sent yet">
          Set an SDK up as shown below: it appears here within seconds of its first event.
        </Empty>
      )}
      {data && data.sources.length > 0 && (
        <ul className={classes.list}>
          {data.sources.map((s) => (
            <SourceRow key={s.id} project={project} zone={zone} source={s} />
          ))}
        </ul>
      )}
    </Panel>
  );
}
