/** Server state as React Query hooks; keys start with the project so that switching never mixes data. */
import {
  keepPreviousData,
  queryOptions,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { api, type EventFilter } from './client';
import type { Query } from './types';

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }) => api.session(signal),
  staleTime: 60_000,
});

export const projectsQuery = queryOptions({
  queryKey: ['projects'],
  queryFn: ({ signal }) => api.projects(signal),
  staleTime: 60_000,
});

export const useSession = () => useQuery(sessionQuery);
export const useProjects = () => useQuery(projectsQuery);

/** The project named in the address, by id or by name. */
export function useProject(project: string) {
  const { data } = useProjects();
  return data?.find((p) => p.id === project || p.name === project);
}

/** Zone in which this project's days begin; UTC until the project is known. */
export function useZone(project: string): string {
  return useProject(project)?.timezone || 'UTC';
}

export const useSchema = (project: string) =>
  useQuery({
    queryKey: [project, 'schema'],
    queryFn: ({ signal }) => api.schema(project, signal),
    staleTime: 30_000,
  });

export const useLedger = (project: string, everyMs = 10_000) =>
  useQuery({
    queryKey: [project, 'ledger'],
    queryFn: ({ signal }) => api.ledger(project, signal),
    refetchInterval: everyMs,
    placeholderData: keepPreviousData,
  });

interface ChartOptions {
  enabled?: boolean;
  everyMs?: number;
}

/** Runs a query object. A changed query cancels the running one; the old answer stays on screen meanwhile. */
export function useChart<T>(project: string, query: Query, { enabled = true, everyMs }: ChartOptions = {}) {
  return useQuery({
    queryKey: [project, 'query', query],
    queryFn: ({ signal }) => api.query<T>(project, query, signal),
    placeholderData: keepPreviousData,
    enabled,
    refetchInterval: everyMs ?? false,
    staleTime: 10_000,
  });
}

export const useExplain = (project: string, query: Query, enabled: boolean) =>
  useQuery({
    queryKey: [project, 'explain', query],
    queryFn: ({ signal }) => api.explain(project, query, signal),
    enabled,
    staleTime: 10_000,
  });

export const usePersons = (project: string, q: string) =>
  useInfiniteQuery({
    queryKey: [project, 'persons', q],
    queryFn: ({ signal, pageParam }) => api.persons(project, q, { limit: 50, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
  });

export const usePerson = (project: string, person: string) =>
  useQuery({
    queryKey: [project, 'person', person],
    queryFn: ({ signal }) => api.person(project, person, signal),
  });

export const useTimeline = (project: string, person: string) =>
  useInfiniteQuery({
    queryKey: [project, 'timeline', person],
    queryFn: ({ signal, pageParam }) =>
      api.timeline(project, person, { limit: 100, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next ?? undefined,
  });

export const useEvents = (project: string, filter: EventFilter, limit = 50) =>
  useInfiniteQuery({
    queryKey: [project, 'events', filter, limit],
    queryFn: ({ signal, pageParam }) => api.events(project, { ...filter, limit, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
  });

export const useDeadLetters = (project: string) =>
  useInfiniteQuery({
    queryKey: [project, 'dead'],
    queryFn: ({ signal, pageParam }) => api.deadLetters(project, { limit: 25, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 30_000,
  });

/** Forgets who is signed in and everything that was read as them. */
export function useForget() {
  const client = useQueryClient();
  return async () => {
    client.clear();
    await client.fetchQuery(sessionQuery);
  };
}
