/** The words and colours of states, in one place. */
import type { ComponentState, StatusIncident, StatusPageData } from '../../api/watch';

export const STATE: Record<ComponentState, string> = {
  operational: 'Operational',
  under_maintenance: 'Under maintenance',
  degraded_performance: 'Degraded performance',
  partial_outage: 'Partial outage',
  major_outage: 'Major outage',
};

/** How bad it looks: `fine`, `note`, `warn` or `bad`; CSS knows what that means. */
export function toneOf(state: ComponentState | null): 'fine' | 'note' | 'warn' | 'bad' | 'unknown' {
  if (!state) return 'unknown';
  if (state === 'operational') return 'fine';
  if (state === 'under_maintenance') return 'note';
  return state === 'major_outage' ? 'bad' : 'warn';
}

export function toneOfPage(page: StatusPageData): 'fine' | 'note' | 'warn' | 'bad' {
  if (page.indicator === 'none') return 'fine';
  if (page.indicator === 'maintenance') return 'note';
  return page.indicator === 'minor' ? 'warn' : 'bad';
}

export const INCIDENT: Record<StatusIncident['state'], string> = {
  investigating: 'Investigating',
  identified: 'Identified',
  monitoring: 'Monitoring',
  resolved: 'Resolved',
};

/** 0.99954 -> "99.95 %"; never rounds an outage away. */
export function uptime(share: number | null): string {
  if (share === null) return 'not watched yet';
  if (share >= 1) return '100 %';
  return `${Math.min(99.99, Math.floor(share * 10_000) / 100).toFixed(2)} %`;
}
