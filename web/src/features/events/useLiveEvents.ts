import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { EventFilter } from '../../api/client';
import { useEvents } from '../../api/hooks';
import { eventKey, follow, type LiveState } from '../../api/live';
import type { EventItem } from '../../api/types';
import { merged } from './merged';

const KEPT_MAX = 300;
/** A busy product would redraw for every event; a few times a second is as live as eyes are. */
const FLUSH_MS = 250;

export interface LiveEvents {
  events: EventItem[];
  fresh: Set<string>;
  state: LiveState;
  paused: boolean;
  /** Events that came while paused. */
  waiting: number;
  setPaused: (paused: boolean) => void;
  stored: ReturnType<typeof useEvents>;
}

/** Stored events, newest first, with those that arrive from now on put on top. */
export function useLiveEvents(project: string, filter: EventFilter): LiveEvents {
  const stored = useEvents(project, filter);
  const [live, setLive] = useState<EventItem[]>([]);
  const [state, setState] = useState<LiveState>('connecting');
  const [paused, setPausedState] = useState(false);
  const [waiting, setWaiting] = useState(0);
  const buffer = useRef<EventItem[]>([]);
  const pausedRef = useRef(false);
  const key = JSON.stringify(filter);

  useEffect(() => {
    buffer.current = [];
    setLive([]);
    setWaiting(0);
    const stop = follow(project, JSON.parse(key) as EventFilter, {
      onEvent: (e) => {
        buffer.current = [e, ...buffer.current].slice(0, KEPT_MAX);
      },
      onState: setState,
    });
    const timer = setInterval(() => {
      if (buffer.current.length === 0) return;
      if (pausedRef.current) {
        setWaiting(buffer.current.length);
        return;
      }
      const arrived = buffer.current;
      buffer.current = [];
      setLive((old) => [...arrived, ...old].slice(0, KEPT_MAX));
    }, FLUSH_MS);
    return () => {
      stop();
      clearInterval(timer);
    };
  }, [project, key]);

  const setPaused = useCallback((p: boolean) => {
    pausedRef.current = p;
    setPausedState(p);
    if (!p) setWaiting(0);
  }, []);

  const pages = stored.data?.pages;
  const events = useMemo(() => merged(live, pages?.flatMap((p) => p.events) ?? []), [live, pages]);
  const fresh = useMemo(() => new Set(live.map(eventKey)), [live]);
  return { events, fresh, state, paused, waiting, setPaused, stored };
}
