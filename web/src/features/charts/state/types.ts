/** What a chart is: the whole definition, as kept in the address of the page. */
import type { Condition, Duration } from '../../../api/types';

export type ChartKind = 'segmentation' | 'funnel' | 'retention';

/** Any event at all, and any event that a person did on purpose. */
export const ANY_EVENT = '*';
export const ACTIVE_EVENT = '$active';

export interface Step {
  event: string;
  where: Condition[];
}

export const MEASURES = [
  'uniques',
  'totals',
  'average',
  'sum',
  'avg',
  'median',
  'p90',
  'p95',
  'p99',
  'min',
  'max',
] as const;
export type Measure = (typeof MEASURES)[number];

export interface Series extends Step {
  measure: Measure;
  /** The number that the measure is taken of; only for measures of a property. */
  property?: string;
}

export type RangeUnit = 'hour' | 'day' | 'week' | 'month';

/** The last n buckets up to now, or local dates with both ends included. */
export type Range = { last: number; unit: RangeUnit } | { from: string; to: string };

export const INTERVALS = ['hour', 'day', 'week', 'month', 'quarter', 'year'] as const;
export type Interval = (typeof INTERVALS)[number];

export interface Breakdown {
  scope: 'event' | 'user' | 'person';
  property: string;
}

interface Common {
  range: Range;
  segment: Condition[];
  by?: Breakdown;
}

export interface SegmentationState extends Common {
  kind: 'segmentation';
  series: Series[];
  interval: Interval;
  view: 'line' | 'bar';
}

export interface FunnelState extends Common {
  kind: 'funnel';
  steps: Step[];
  window: Duration;
}

export const RETENTION_INTERVALS = ['day', 'week', 'month'] as const;

export interface RetentionState extends Common {
  kind: 'retention';
  start: Step;
  back: Step;
  interval: (typeof RETENTION_INTERVALS)[number];
  periods: number;
  mode: 'calendar' | 'rolling';
  /** Came back exactly at that offset, or at it or any time later. */
  returned: 'on' | 'on_or_after';
  view: 'share' | 'people';
}

export type ChartState = SegmentationState | FunnelState | RetentionState;
export type StateOf<K extends ChartKind> = Extract<ChartState, { kind: K }>;

/** True for measures that need a number property. */
export function needsProperty(measure: Measure): boolean {
  return measure !== 'uniques' && measure !== 'totals' && measure !== 'average';
}

/** Conditions of these operators compare with nothing. */
export function needsValue(op: Condition['op']): boolean {
  return op !== 'is_set' && op !== 'is_not_set';
}
