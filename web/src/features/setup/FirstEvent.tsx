import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useEvents } from '../../api/hooks';
import { follow } from '../../api/live';
import type { EventItem } from '../../api/types';
import { clock } from '../../ui/format/time';
import { Icon } from '../../ui/icons';
import { TallyMark } from '../../ui/Logo';
import classes from './FirstEvent.module.css';

interface Props {
  project: string;
  zone: string;
}

/** Waits for the project's first event and turns green when it is there. */
export function FirstEvent({ project, zone }: Props) {
  const event = useFirstEvent(project);
  if (!event) {
    return (
      <div className={classes.waiting} role="status">
        <TallyMark size={30} animated />
        <div>
          <strong>Waiting for your first event…</strong>
          <p>It appears here within a second or two of being sent.</p>
        </div>
      </div>
    );
  }
  return (
    <div className={classes.arrived} role="status" data-testid="first-event">
      <span className={classes.tick}>
        <Icon name="check" size={22} />
      </span>
      <div>
        <strong>“{event.event}” arrived</strong>
        <p>
          At {clock(event.received_at ?? event.time, zone)}
          {event.user_id ? ` from ${event.user_id}` : event.device_id ? ` from ${event.device_id}` : ''}. It
          is written to disk and counted.
        </p>
      </div>
      <Button component={Link} to={`/p/${encodeURIComponent(project)}`}>
        Open the overview
      </Button>
    </div>
  );
}

function useFirstEvent(project: string): EventItem | undefined {
  const [live, setLive] = useState<EventItem>();
  const stored = useEvents(project, {}, 1);
  const first = live ?? stored.data?.pages[0]?.events[0];
  const { refetch } = stored;

  useEffect(() => {
    if (first) return;
    const stop = follow(project, {}, { onEvent: setLive, onState: () => undefined });
    // The stream tells at once; asking as well covers an event that came in between.
    const timer = setInterval(() => void refetch(), 3000);
    return () => {
      stop();
      clearInterval(timer);
    };
  }, [project, first, refetch]);
  return first;
}
