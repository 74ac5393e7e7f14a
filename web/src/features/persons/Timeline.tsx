import { Button } from '@mantine/core';
import { useIntersection } from '@mantine/hooks';
import { useEffect, useMemo } from 'react';
import { useTimeline } from '../../api/hooks';
import { eventKey } from '../../api/live';
import { count } from '../../ui/format/number';
import { dayName, localDate } from '../../ui/format/time';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import { EventRow } from '../events/EventRow';
import list from '../events/events.module.css';
import { byDay } from './naming';
import classes from './persons.module.css';

interface Props {
  project: string;
  person: string;
  zone: string;
}

/** What a person did, newest first, a heading per day; older pages load as they come into view. */
export function Timeline({ project, person, zone }: Props) {
  const timeline = useTimeline(project, person);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = timeline;
  const { ref, entry } = useIntersection({ rootMargin: '300px' });
  useEffect(() => {
    if (entry?.isIntersecting && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [entry, hasNextPage, isFetchingNextPage, fetchNextPage]);

  const pages = timeline.data?.pages;
  const days = useMemo(() => byDay(pages?.flatMap((p) => p.events) ?? [], zone), [pages, zone]);
  const today = localDate(Date.now(), zone);
  return (
    <Panel title="Timeline" note={`Times in ${zone}`} flush>
      {timeline.isPending && <Loading what="Reading the timeline" />}
      {timeline.isError && days.length === 0 && (
        <Failed error={timeline.error} retry={() => void timeline.refetch()} />
      )}
      {timeline.isSuccess && days.length === 0 && <Empty title="No events" />}
      {days.map((day) => (
        <section key={day.date} aria-label={dayName(day.date, today)}>
          <h3 className={classes.day}>
            {dayName(day.date, today)}
            <span>{count(day.events.length, 'event')}</span>
          </h3>
          <ul className={list.rows}>
            {day.events.map((e) => (
              <EventRow key={eventKey(e)} project={project} zone={zone} event={e} own />
            ))}
          </ul>
        </section>
      ))}
      {hasNextPage && (
        <div ref={ref} className={classes.more}>
          <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Show older events
          </Button>
        </div>
      )}
      {timeline.isSuccess && !hasNextPage && days.length > 0 && (
        <p className={classes.end}>This is where it begins.</p>
      )}
    </Panel>
  );
}
