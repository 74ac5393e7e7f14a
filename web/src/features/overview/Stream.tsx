import { Link } from '@tanstack/react-router';
import { useZone } from '../../api/hooks';
import { eventKey } from '../../api/live';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import { EventRow } from '../events/EventRow';
import list from '../events/events.module.css';
import { LiveBadge } from '../events/LiveBadge';
import { useLiveEvents } from '../events/useLiveEvents';
import classes from './overview.module.css';

const SHOWN = 14;

export function Stream({ project }: { project: string }) {
  const zone = useZone(project);
  const live = useLiveEvents(project, {});
  const events = live.events.slice(0, SHOWN);
  return (
    <Panel
      title="Happening now"
      flush
      actions={
        <>
          <LiveBadge state={live.state} />
          <Link to="/p/$project/events" params={{ project }} className={classes.small}>
            All events
          </Link>
        </>
      }
    >
      {events.length === 0 && live.stored.isPending && <Loading what="Listening" />}
      {events.length === 0 && live.stored.isError && (
        <Failed error={live.stored.error} retry={() => void live.stored.refetch()} />
      )}
      {events.length === 0 && live.stored.isSuccess && (
        <Empty
          title="No event yet"
          action={
            <Link to="/p/$project/sources" params={{ project }}>
              Connect a source
            </Link>
          }
        />
      )}
      <div className={classes.stream}>
        <ul className={list.rows} aria-label="Newest events">
          {events.map((e) => (
            <EventRow
              key={eventKey(e)}
              project={project}
              zone={zone}
              event={e}
              fresh={live.fresh.has(eventKey(e))}
            />
          ))}
        </ul>
      </div>
    </Panel>
  );
}
