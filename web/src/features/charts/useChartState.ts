import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useCallback, useState } from 'react';
import { api } from '../../api/client';
import type { FunnelResult, Query, RetentionResult, SegmentationResult } from '../../api/types';
import { writeState } from './state/codec';
import { missing, toQuery } from './state/query';
import type { ChartKind, ChartState, StateOf } from './state/types';

export interface Results {
  segmentation: SegmentationResult;
  funnel: FunnelResult;
  retention: RetentionResult;
}

/** An answer together with the state that was asked, so that names always belong to numbers. */
export interface Answer<K extends ChartKind> {
  asked: StateOf<K>;
  result: Results[K];
}

const DEBOUNCE_MS = 300;

/** Asks whenever the chart has settled for a moment; a further change cancels the running query. */
export function useAnswer<K extends ChartKind>(project: string, state: StateOf<K>) {
  const [settled] = useDebouncedValue(state, DEBOUNCE_MS);
  const query = toQuery(settled);
  const ready = missing(settled) === null;
  const [progress, setProgress] = useState(0);
  const answer = useQuery({
    queryKey: [project, 'chart', query],
    queryFn: async ({ signal }): Promise<Answer<K>> => ({
      asked: settled,
      result: await api.followQuery<Results[K]>(project, query, setProgress, signal),
    }),
    enabled: ready,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
    refetchInterval: 60_000,
  });
  const waiting = toText(toQuery(state)) !== toText(query);
  return {
    ...answer,
    ready,
    progress: answer.isFetching ? progress : 0,
    busy: waiting || answer.isPlaceholderData,
  };
}

function toText(query: Query): string {
  return JSON.stringify(query);
}

/** Changing the chart is changing the address: back undoes it, and the link is always the chart. */
export function useSetState(project: string) {
  const navigate = useNavigate();
  return useCallback(
    (next: ChartState) =>
      void navigate({
        to: '/p/$project/charts/$kind',
        params: { project, kind: next.kind },
        search: writeState(next),
        resetScroll: false,
      }),
    [navigate, project],
  );
}
