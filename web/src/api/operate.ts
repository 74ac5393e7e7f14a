/** What operators ask and do, for the whole instance. */
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, http } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Summary = Schemas['OperationsSummaryBody'];
export type Finding = Schemas['FindingBody'];
export type Alert = Schemas['AlertBody'];
export type Job = Schemas['JobBody'];
export type NewJob = Schemas['NewJobBody'];
export type JobScope = Schemas['JobScopeBody'];
export type Backups = Schemas['BackupsBody'];
export type Settings = Schemas['SettingsBody'];
export type ChangeSettings = Schemas['ChangeSettingsBody'];

export type Wish = 'pause' | 'resume' | 'cancel';

export const operate = {
  summary: (signal?: AbortSignal) =>
    answer<Summary>(http.GET('/api/v1/operations/summary', { signal }), signal),
  findings: (signal?: AbortSignal) =>
    answer<{ findings: Finding[] }>(http.GET('/api/v1/operations/findings', { signal }), signal).then(
      (a) => a.findings,
    ),
  alerts: (signal?: AbortSignal) =>
    answer<{ alerts: Alert[] }>(http.GET('/api/v1/operations/alerts', { signal }), signal).then(
      (a) => a.alerts,
    ),
  acknowledge: (alert: string) =>
    answer<Alert>(
      http.POST('/api/v1/operations/alerts/{alert}/acknowledge', { params: { path: { alert } } }),
    ),
  jobs: (signal?: AbortSignal) =>
    answer<{ jobs: Job[] }>(http.GET('/api/v1/operations/jobs', { signal }), signal).then((a) => a.jobs),
  scope: (body: NewJob) => answer<JobScope>(http.POST('/api/v1/operations/jobs/scope', { body })),
  start: (body: NewJob) => answer<Job>(http.POST('/api/v1/operations/jobs', { body })),
  steer: (id: string, wish: Wish) => {
    const params = { params: { path: { job: id } } };
    const paths = {
      pause: () => http.POST('/api/v1/operations/jobs/{job}/pause', params),
      resume: () => http.POST('/api/v1/operations/jobs/{job}/resume', params),
      cancel: () => http.POST('/api/v1/operations/jobs/{job}/cancel', params),
    };
    return answer<Job>(paths[wish]());
  },
  backups: (signal?: AbortSignal) =>
    answer<Backups>(http.GET('/api/v1/operations/backups', { signal }), signal),
  settings: (signal?: AbortSignal) =>
    answer<Settings>(http.GET('/api/v1/operations/settings', { signal }), signal),
  change: (body: ChangeSettings) => answer<Settings>(http.PUT('/api/v1/operations/settings', { body })),
};

const live = { refetchInterval: 5_000 } as const;

export const useSummary = () =>
  useQuery({ queryKey: ['operate', 'summary'], queryFn: ({ signal }) => operate.summary(signal), ...live });
export const useFindings = () =>
  useQuery({ queryKey: ['operate', 'findings'], queryFn: ({ signal }) => operate.findings(signal), ...live });
export const useAlerts = () =>
  useQuery({ queryKey: ['operate', 'alerts'], queryFn: ({ signal }) => operate.alerts(signal), ...live });
export const jobsQuery = queryOptions({
  queryKey: ['operate', 'jobs'],
  queryFn: ({ signal }) => operate.jobs(signal),
  refetchInterval: 2_000,
});
export const useJobs = () => useQuery(jobsQuery);
export const useBackups = () =>
  useQuery({ queryKey: ['operate', 'backups'], queryFn: ({ signal }) => operate.backups(signal), ...live });
export const useSettings = () =>
  useQuery({ queryKey: ['operate', 'settings'], queryFn: ({ signal }) => operate.settings(signal) });

/** Does something and looks at everything again. */
export function useDoing<A, T>(act: (argument: A) => Promise<T>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSettled: () => client.invalidateQueries({ queryKey: ['operate'] }),
  });
}
