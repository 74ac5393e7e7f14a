/** The books of one project: what became of records, rules, redrives, erasures, and jobs for one project. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, http } from './client';
import { type Job, type NewJob, operate } from './operate';
import type { components } from './schema';
import type { Condition, DeadLetterPage, Json } from './types';

type Schemas = components['schemas'];
export type Outcome = Schemas['OutcomeBody'];
export type Skipped = Schemas['SkippedBody'];
export type Restatement = Schemas['RestatementBody'];
export type HeldBack = Schemas['HeldBackBody'];
export type Redriven = Schemas['RedrivenBody'];
export type Redrive = Schemas['RedriveBody'];
export type Erasure = Schemas['ErasureBody'];

export type RuleAction =
  | { type: 'drop'; events?: string[]; conditions?: Condition[] }
  | { type: 'block'; users?: string[]; devices?: string[] }
  | { type: 'properties'; deny?: string[]; allow?: string[] | null }
  | { type: 'settings'; settings: { [key: string]: Json } };
export type Rule = Omit<Schemas['RuleBody'], 'action'> & { action: RuleAction };
export type NewRule = { name: string; reason: string; enabled: boolean; action: RuleAction };

/** What trying a rule found, by event name. */
export interface PreviewReport {
  examined: number;
  filtered: number;
  unreadable: number;
  names: PreviewName[];
}
export interface PreviewName {
  event: string;
  examined: number;
  filtered: number;
  samples: PreviewSample[];
}
export interface PreviewSample {
  position: { lane: string; partition: number; offset: number };
  received_at: number;
  event: { name: string; user_id?: string | null; device_id?: string | null; properties?: Json };
}

/** What deciding again changed, or would change. */
export interface ReprocessReport {
  examined: number;
  changed: number;
  unreadable: number;
  changes: { was: string; now: string; records: number }[];
}

const of = (project: string) => ({ path: { project } });

export const books = {
  outcomes: (project: string, query: { position: string } | { insert_id: string }, signal?: AbortSignal) =>
    answer<{ outcomes: Outcome[] }>(
      http.GET('/api/v1/projects/{project}/outcomes', { params: { ...of(project), query }, signal }),
      signal,
    ).then((a) => a.outcomes),
  /** Letters of the project; or those that nobody owns, which become the project's. */
  redrive: (project: string, unowned: boolean, body: Redrive) =>
    answer<Redriven>(
      unowned
        ? http.POST('/api/v1/operations/dead-letters/redrive', { body: { ...body, project } })
        : http.POST('/api/v1/projects/{project}/dead-letters/redrive', { params: of(project), body }),
    ),
  unowned: (cursor: string | null, signal?: AbortSignal) =>
    answer<DeadLetterPage>(
      http.GET('/api/v1/operations/dead-letters', {
        params: { query: { limit: 25, ...(cursor ? { cursor } : {}) } },
        signal,
      }),
      signal,
    ),

  rules: (project: string, signal?: AbortSignal) =>
    answer<{ rules: Rule[] }>(
      http.GET('/api/v1/projects/{project}/rules', { params: of(project), signal }),
      signal,
    ).then((a) => a.rules),
  versions: (project: string, rule: number, signal?: AbortSignal) =>
    answer<{ rules: Rule[] }>(
      http.GET('/api/v1/projects/{project}/rules/{rule}/versions', {
        params: { path: { project, rule: String(rule) } },
        signal,
      }),
      signal,
    ).then((a) => a.rules),
  saveRule: (project: string, rule: number | null, body: NewRule) =>
    answer<Rule>(
      rule === null
        ? http.POST('/api/v1/projects/{project}/rules', { params: of(project), body: body as never })
        : http.PUT('/api/v1/projects/{project}/rules/{rule}', {
            params: { path: { project, rule: String(rule) } },
            body: body as never,
          }),
    ),
  tryRule: (project: string, body: { action: RuleAction; id?: number; from?: string }) =>
    answer<{ job: Job; ready: boolean }>(
      http.POST('/api/v1/projects/{project}/rules/preview', {
        params: of(project),
        body: { ...body, wait_ms: 2_000 } as never,
      }),
    ),

  erasures: (project: string, signal?: AbortSignal) =>
    answer<{ erasures: Erasure[] }>(
      http.GET('/api/v1/projects/{project}/erasures', { params: of(project), signal }),
      signal,
    ).then((a) => a.erasures),
  erase: (project: string, person: string, body: { reason: string; confirm: string | null }) =>
    answer<Erasure>(
      http.POST('/api/v1/projects/{project}/persons/{person}/erase', {
        params: { path: { project, person } },
        body,
      }),
    ),
  undoErasure: (project: string, erasure: number) =>
    answer<Erasure>(
      http.POST('/api/v1/projects/{project}/erasures/{erasure}/undo', {
        params: { path: { project, erasure: String(erasure) } },
      }),
    ),
  /** Where everything of a person can be downloaded. */
  exportOf: (project: string, person: string) =>
    `/api/v1/projects/${encodeURIComponent(project)}/persons/${encodeURIComponent(person)}/export`,

  job: (job: string, signal?: AbortSignal) =>
    answer<Job>(http.GET('/api/v1/operations/jobs/{job}', { params: { path: { job } }, signal }), signal),
};

/** True when a job will not change any more. */
export const over = (job: Job): boolean => ['done', 'failed', 'cancelled'].includes(job.state);

/** One job, looked at until it is over. */
export const useJob = (job: string | null) =>
  useQuery({
    queryKey: ['operate', 'job', job],
    queryFn: ({ signal }) => books.job(job ?? '', signal),
    enabled: job !== null,
    refetchInterval: (query) => (query.state.data && over(query.state.data) ? false : 700),
  });

/** Rules; looked at often while one of them is on its way into force. */
export const useRules = (project: string) =>
  useQuery({
    queryKey: [project, 'rules'],
    queryFn: ({ signal }) => books.rules(project, signal),
    refetchInterval: (query) => (query.state.data?.some((r) => r.state !== 'in_force') ? 1_500 : 15_000),
  });

export const useVersions = (project: string, rule: number, enabled: boolean) =>
  useQuery({
    queryKey: [project, 'rules', rule, 'versions'],
    queryFn: ({ signal }) => books.versions(project, rule, signal),
    enabled,
  });

export const useErasures = (project: string) =>
  useQuery({
    queryKey: [project, 'erasures'],
    queryFn: ({ signal }) => books.erasures(project, signal),
    refetchInterval: (query) => (query.state.data?.some((e) => e.state === 'unpublished') ? 1_500 : 30_000),
  });

/** Letters whose key no project has; anybody's guess whose they are. */
export const useUnowned = () =>
  useInfiniteQuery({
    queryKey: ['operate', 'unowned'],
    queryFn: ({ signal, pageParam }) => books.unowned(pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 30_000,
  });

/** A record by its position (`live/0@123`) or its insert id. */
export const useOutcomes = (project: string, wanted: string | null) =>
  useQuery({
    queryKey: [project, 'outcomes', wanted],
    queryFn: ({ signal }) =>
      books.outcomes(
        project,
        isPosition(wanted ?? '') ? { position: wanted ?? '' } : { insert_id: wanted ?? '' },
        signal,
      ),
    enabled: wanted !== null && wanted !== '',
    staleTime: 0,
  });

export const isPosition = (text: string): boolean => /^(live|bulk)\/\d+@\d+$/.test(text);

/** Does something to a project and reads everything of it anew. */
export function useChanging<A, T>(project: string, act: (argument: A) => Promise<T>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: [project] }),
        client.invalidateQueries({ queryKey: ['operate', 'unowned'] }),
      ]),
  });
}

/** Starts a job, or a dry run of it. */
export const useStartJob = (project: string) => useChanging(project, (body: NewJob) => operate.start(body));
