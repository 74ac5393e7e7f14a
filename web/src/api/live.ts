/** The live tail of a project's events, over server-sent events. */
import type { EventFilter } from './client';
import type { EventItem } from './types';

export type LiveState = 'connecting' | 'open' | 'lost';

export interface LiveHandlers {
  onEvent: (event: EventItem) => void;
  onState: (state: LiveState) => void;
}

/** Follows new events until the returned function is called. Reconnects by itself, with growing pauses. */
export function follow(project: string, filter: EventFilter, handlers: LiveHandlers): () => void {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let stopped = false;

  const open = () => {
    handlers.onState('connecting');
    source = new EventSource(tailUrl(project, filter));
    source.onopen = () => {
      failures = 0;
      handlers.onState('open');
    };
    source.addEventListener('event', (message) => {
      try {
        handlers.onEvent(JSON.parse((message as MessageEvent<string>).data) as EventItem);
      } catch {
        // A message that is not JSON is not an event; the list beside the stream stays right.
      }
    });
    source.onerror = () => {
      if (stopped) return;
      source?.close();
      handlers.onState('lost');
      failures += 1;
      timer = setTimeout(open, pause(failures));
    };
  };
  open();

  return () => {
    stopped = true;
    clearTimeout(timer);
    source?.close();
  };
}

/** Address of the tail; the browser asks it for a stream of events by itself. */
export function tailUrl(project: string, { event }: EventFilter): string {
  const path = `/api/v1/projects/${encodeURIComponent(project)}/events`;
  return event ? `${path}?${new URLSearchParams({ event })}` : path;
}

/** Milliseconds before try number `failures` + 1. */
export function pause(failures: number): number {
  return Math.min(15_000, 500 * 2 ** Math.min(failures, 6));
}

/** What tells two events apart; `seq` alone may not survive a number type of 53 bits. */
export function eventKey(e: EventItem): string {
  return [e.seq, e.event, e.time, e.user_id ?? '', e.device_id ?? '', e.insert_id ?? ''].join('|');
}
