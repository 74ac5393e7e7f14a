/** Names of events, measures and breakdown values as people read them. */
import type { Breakdown, ChartState, Measure, Series, Step } from '../state/types';
import { ACTIVE_EVENT, ANY_EVENT } from '../state/types';

export function eventName(event: string): string {
  if (event === ANY_EVENT) return 'Any event';
  if (event === ACTIVE_EVENT) return 'Any active event';
  return event;
}

const measureNames: Record<Measure, string> = {
  uniques: 'People',
  totals: 'Events',
  average: 'Events per person',
  sum: 'Sum',
  avg: 'Average',
  median: 'Median',
  p90: '90th percentile',
  p95: '95th percentile',
  p99: '99th percentile',
  min: 'Smallest',
  max: 'Largest',
};

export function measureName(m: Measure): string {
  return measureNames[m];
}

/** "Sum of amount", "People". */
export function seriesMeasure(s: Series): string {
  return s.property ? `${measureName(s.measure)} of ${s.property}` : measureName(s.measure);
}

/** A breakdown label of the API: one text, or one per dimension. */
export function groupName(breakdown: string | string[] | null | undefined): string {
  if (breakdown === null || breakdown === undefined) return '';
  const all = Array.isArray(breakdown) ? breakdown : [breakdown];
  return all.map((b) => (b === '$other' ? 'All others' : b === '(none)' ? '(not set)' : b)).join(' · ');
}

export function isOther(breakdown: string | string[] | null | undefined): boolean {
  return Array.isArray(breakdown) ? breakdown.includes('$other') : breakdown === '$other';
}

const scopes = { event: '', user: 'user ', person: 'latest ' };

export function propertyName(b: Breakdown): string {
  return `${scopes[b.scope]}${b.property}`;
}

/** A title for files and documents. */
export function chartTitle(state: ChartState): string {
  const by = state.by ? ` by ${propertyName(state.by)}` : '';
  const steps = (s: Step[]) => s.map((x) => eventName(x.event)).join(' → ');
  if (state.kind === 'segmentation') {
    return `${state.series.map((s) => eventName(s.event)).join(', ') || 'Trend'}${by}`;
  }
  if (state.kind === 'funnel') return `${steps(state.steps) || 'Funnel'}${by}`;
  return `Retention ${steps([state.start, state.back])}${by}`;
}
