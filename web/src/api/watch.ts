/** What the watch publishes: the status page, as the server builds it. Times are milliseconds since 1970, UTC. */
import { errorFrom, unreachable } from './errors';

export type ComponentState =
  | 'operational'
  | 'under_maintenance'
  | 'degraded_performance'
  | 'partial_outage'
  | 'major_outage';

export interface StatusComponent {
  id: string;
  name: string;
  group: string | null;
  state: ComponentState;
  since: number;
  uptime: { share: number | null; days: [string, number | null, ComponentState | null][] };
}

export interface StatusUpdate {
  id: string;
  at: number;
  state: string;
  text: string;
}

export interface StatusIncident {
  id: string;
  title: string;
  state: 'investigating' | 'identified' | 'monitoring' | 'resolved';
  impact: 'none' | 'minor' | 'major' | 'critical';
  opened_at: number;
  quiet_since: number | null;
  resolved_at: number | null;
  components: string[];
  received: [number, number] | null;
  events: number | null;
  updates: StatusUpdate[];
}

export interface StatusMaintenance {
  id: string;
  title: string;
  text: string;
  components: string[];
  starts_at: number;
  ends_at: number;
}

type Ends = [number, number, number] | null;

export interface StatusEta {
  lane: string;
  at: number;
  started_at: number;
  ends_at: Ends;
  not_shrinking: boolean;
  backlog: number | null;
}

export interface StatusEtaRun {
  lane: string;
  started_at: number;
  drained_at: number | null;
  points: { at: number; ends_at: Ends; error: number | null; inside: boolean | null }[];
}

export interface StatusPageData {
  name: string;
  time_zone: string;
  at: number;
  watched_at: number | null;
  stale: boolean;
  indicator: 'none' | 'minor' | 'major' | 'critical' | 'maintenance';
  description: string;
  components: StatusComponent[];
  incidents: StatusIncident[];
  maintenance: StatusMaintenance[];
  eta: StatusEta[];
  eta_history: StatusEtaRun[];
  loss_sentence: string;
}

/** The public page; needs no session. */
export async function statusPage(signal?: AbortSignal): Promise<StatusPageData> {
  const response = await fetch('/status/page.json', {
    headers: { accept: 'application/json' },
    signal,
  }).catch((cause: unknown) => {
    if (signal?.aborted) throw cause;
    throw unreachable();
  });
  if (!response.ok) throw errorFrom(response.status, await response.json().catch(() => null));
  return (await response.json()) as StatusPageData;
}
