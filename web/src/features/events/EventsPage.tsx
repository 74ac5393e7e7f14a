import { ActionIcon, Button } from '@mantine/core';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useZone } from '../../api/hooks';
import { eventKey } from '../../api/live';
import { Icon } from '../../ui/icons';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import { EventPicker } from '../charts/builder/EventPicker';
import { EventRow } from './EventRow';
import classes from './events.module.css';
import { LiveBadge } from './LiveBadge';
import { type LiveEvents, useLiveEvents } from './useLiveEvents';

const route = getRouteApi('/p/$project/events');

export function EventsPage() {
  const { project } = route.useParams();
  const { event } = route.useSearch();
  const navigate = useNavigate();
  const live = useLiveEvents(project, event ? { event } : {});
  const choose = (name: string | undefined) =>
    void navigate({
      to: '/p/$project/events',
      params: { project },
      search: name && name !== '*' && name !== '$active' ? { event: name } : {},
    });
  return (
    <Page
      title="Events"
      lead="Everything as it arrives, newest first."
      actions={
        <>
          <LiveBadge state={live.state} paused={live.paused} />
          <Button
            variant="default"
            size="xs"
            leftSection={<Icon name={live.paused ? 'play' : 'pause'} size={15} />}
            onClick={() => live.setPaused(!live.paused)}
          >
            {live.paused ? `Resume${live.waiting ? ` (${live.waiting} new)` : ''}` : 'Pause'}
          </Button>
        </>
      }
    >
      <Panel
        flush
        title={event ? `Only “${event}”` : 'All events'}
        actions={
          <>
            <EventPicker project={project} label="Show only" value={event ?? '*'} onChange={choose} />
            {event && (
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label="Show all events"
                onClick={() => choose(undefined)}
              >
                <Icon name="close" size={15} />
              </ActionIcon>
            )}
          </>
        }
      >
        <EventList project={project} live={live} filtered={Boolean(event)} />
      </Panel>
    </Page>
  );
}

interface ListProps {
  project: string;
  live: LiveEvents;
  filtered: boolean;
}

function EventList({ project, live, filtered }: ListProps) {
  const zone = useZone(project);
  const { stored, events } = live;
  if (events.length === 0 && stored.isPending) return <Loading what="Reading events" />;
  if (events.length === 0 && stored.isError) {
    return <Failed error={stored.error} retry={() => void stored.refetch()} />;
  }
  if (events.length === 0) {
    return (
      <Empty title={filtered ? 'No such event yet' : 'No event yet'}>
        {filtered
          ? 'This page follows along: the next one shows up here by itself.'
          : 'Point an SDK at this server (see Sources); events show up here by themselves.'}
      </Empty>
    );
  }
  return (
    <>
      <ul className={classes.rows} aria-label="Events">
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
      {stored.hasNextPage && (
        <div className={classes.more}>
          <Button
            variant="default"
            loading={stored.isFetchingNextPage}
            onClick={() => void stored.fetchNextPage()}
          >
            Show older events
          </Button>
        </div>
      )}
    </>
  );
}
