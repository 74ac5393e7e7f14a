/**
 * Chart state to and from the address.
 *
 * Reading never fails: whatever a link contains, the result is a state that the builder can show. Parts that
 * cannot be understood fall back to the default, so an old or damaged link still opens.
 * Writing then reading gives the same state back (tested), and the address stays readable for people:
 *   ?steps=[{"event":"Sign Up"},{"event":"Upgrade"}]&window=7d&range=30d&by=user.country
 */
import type { Condition, Duration, Json, Operator } from '../../../api/types';
import {
  ANY_EVENT,
  type Breakdown,
  type ChartKind,
  type ChartState,
  INTERVALS,
  MEASURES,
  needsProperty,
  needsValue,
  type Range,
  type RangeUnit,
  RETENTION_INTERVALS,
  type Series,
  type StateOf,
  type Step,
} from './types';

/** Search parameters of a chart page, as the router hands them over and writes them. */
export type ChartSearch = Record<string, Json | undefined>;

const LIMIT = { series: 10, steps: 20, conditions: 30, text: 1024 };

export function readState<K extends ChartKind>(kind: K, search: ChartSearch): StateOf<K> {
  const readers: { [P in ChartKind]: (s: ChartSearch) => StateOf<P> } = {
    segmentation: readSegmentation,
    funnel: readFunnel,
    retention: readRetention,
  };
  return readers[kind](search);
}

export function writeState(state: ChartState): ChartSearch {
  const common: ChartSearch = {
    range: writeRange(state.range),
    by: state.by ? `${state.by.scope}.${state.by.property}` : undefined,
    segment: state.segment.length ? state.segment.map(writeCondition) : undefined,
  };
  if (state.kind === 'segmentation') {
    return {
      series: state.series.map((s) => ({ ...writeStep(s), ...writeMeasure(s) })),
      interval: state.interval,
      view: state.view === 'line' ? undefined : state.view,
      ...common,
    };
  }
  if (state.kind === 'funnel') {
    return {
      steps: state.steps.map(writeStep),
      window: writeDuration(state.window),
      ...common,
    };
  }
  return {
    start: writeStep(state.start),
    back: writeStep(state.back),
    interval: state.interval,
    periods: state.periods,
    mode: state.mode === 'calendar' ? undefined : state.mode,
    returned: state.returned === 'on' ? undefined : state.returned,
    view: state.view === 'share' ? undefined : state.view,
    ...common,
  };
}

function readSegmentation(s: ChartSearch): StateOf<'segmentation'> {
  const series = list(s.series).slice(0, LIMIT.series).map(readSeries).filter(present);
  return {
    kind: 'segmentation',
    series: s.series === undefined ? [{ event: ANY_EVENT, where: [], measure: 'uniques' } as Series] : series,
    interval: oneOf(INTERVALS, s.interval, 'day'),
    view: oneOf(['line', 'bar'] as const, s.view, 'line'),
    ...readCommon(s, { last: 30, unit: 'day' }),
  };
}

function readFunnel(s: ChartSearch): StateOf<'funnel'> {
  return {
    kind: 'funnel',
    steps: list(s.steps).slice(0, LIMIT.steps).map(readStep).filter(present),
    window: readDuration(s.window) ?? { n: 7, unit: 'day' },
    ...readCommon(s, { last: 30, unit: 'day' }),
  };
}

function readRetention(s: ChartSearch): StateOf<'retention'> {
  const interval = oneOf(RETENTION_INTERVALS, s.interval, 'week');
  const spans = { day: 14, week: 8, month: 6 };
  return {
    kind: 'retention',
    start: readStep(s.start) ?? { event: ANY_EVENT, where: [] },
    back: readStep(s.back) ?? { event: ANY_EVENT, where: [] },
    interval,
    periods: within(s.periods, 1, 60, spans[interval]),
    mode: oneOf(['calendar', 'rolling'] as const, s.mode, 'calendar'),
    returned: oneOf(['on', 'on_or_after'] as const, s.returned, 'on'),
    view: oneOf(['share', 'people'] as const, s.view, 'share'),
    ...readCommon(s, { last: spans[interval], unit: interval }),
  };
}

function readCommon(s: ChartSearch, range: Range) {
  return {
    range: readRange(s.range) ?? range,
    segment: readConditions(s.segment),
    by: readBreakdown(s.by),
  };
}

/* ---- parts ---- */

function readStep(v: Json | undefined): Step | undefined {
  if (!isObject(v)) return undefined;
  const event = text(v.event);
  return event === undefined ? undefined : { event, where: readConditions(v.where) };
}

function writeStep(step: Step): Record<string, Json> {
  const out: Record<string, Json> = { event: step.event };
  if (step.where.length) out.where = step.where.map(writeCondition);
  return out;
}

function readSeries(v: Json): Series | undefined {
  const step = readStep(v);
  if (!step || !isObject(v)) return undefined;
  const measure = oneOf(MEASURES, v.measure, 'uniques');
  const property = needsProperty(measure) ? text(v.property) : undefined;
  return property === undefined ? { ...step, measure } : { ...step, measure, property };
}

function writeMeasure(s: Series): Record<string, Json> {
  const out: Record<string, Json> = {};
  if (s.measure !== 'uniques') out.measure = s.measure;
  if (s.property !== undefined) out.property = s.property;
  return out;
}

const OPERATORS: Operator[] = [
  'is',
  'is_not',
  'contains',
  'not_contains',
  'starts_with',
  'ends_with',
  'regex',
  'not_regex',
  'gt',
  'gte',
  'lt',
  'lte',
  'between',
  'before',
  'after',
  'is_set',
  'is_not_set',
];

function readConditions(v: Json | undefined): Condition[] {
  return list(v).slice(0, LIMIT.conditions).map(readCondition).filter(present);
}

/** ["user.country", "is", ["DE","FR"]] */
function readCondition(v: Json): Condition | undefined {
  if (!Array.isArray(v)) return undefined;
  const where = readBreakdown(v[0]);
  const op = OPERATORS.find((o) => o === v[1]);
  if (!where || !op) return undefined;
  if (!needsValue(op)) return { ...where, op };
  return v[2] === undefined ? { ...where, op } : { ...where, op, value: v[2] };
}

function writeCondition(c: Condition): Json[] {
  const head = [`${c.scope}.${c.property}`, c.op];
  return c.value === undefined ? head : [...head, c.value];
}

function readBreakdown(v: Json | undefined): Breakdown | undefined {
  const whole = text(v);
  const dot = whole?.indexOf('.') ?? -1;
  if (!whole || dot < 0) return undefined;
  const scope = (['event', 'user', 'person'] as const).find((s) => s === whole.slice(0, dot));
  const property = whole.slice(dot + 1);
  return scope && property ? { scope, property } : undefined;
}

const unitOf: Record<string, RangeUnit> = { h: 'hour', d: 'day', w: 'week', m: 'month' };

/** "30d" or "2026-01-01..2026-01-31". */
export function readRange(v: Json | undefined): Range | undefined {
  const whole = text(v) ?? '';
  const relative = /^(\d{1,4})([hdwm])$/.exec(whole);
  const unit = relative && unitOf[relative[2] ?? ''];
  if (relative && unit) return { last: within(Number(relative[1]), 1, 2000, 30), unit };
  const [from = '', to = ''] = whole.split('..');
  if (!isDate(from) || !isDate(to)) return undefined;
  return from <= to ? { from, to } : { from: to, to: from };
}

export function writeRange(range: Range): string {
  return 'last' in range ? `${range.last}${range.unit[0]}` : `${range.from}..${range.to}`;
}

const windowUnit: Record<string, Duration['unit']> = {
  min: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
};

function readDuration(v: Json | undefined): Duration | undefined {
  const match = /^(\d{1,6})(min|h|d|w)$/.exec(text(v) ?? '');
  const unit = match && windowUnit[match[2] ?? ''];
  return match && unit ? { n: Math.max(1, Number(match[1])), unit } : undefined;
}

function writeDuration(d: Duration): string {
  const short = Object.entries(windowUnit).find(([, unit]) => unit === d.unit)?.[0] ?? 'd';
  return `${d.n}${short}`;
}

/* ---- reading of unknown values ---- */

function isDate(s: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(s)) return false;
  const at = new Date(`${s}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(s);
}

function isObject(v: Json | undefined): v is Record<string, Json> {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

function list(v: Json | undefined): Json[] {
  return Array.isArray(v) ? v : [];
}

function text(v: Json | undefined): string | undefined {
  if (typeof v === 'number') return String(v);
  return typeof v === 'string' && v !== '' ? v.slice(0, LIMIT.text) : undefined;
}

function within(v: Json | undefined, low: number, high: number, otherwise: number): number {
  const n = Number(v);
  return v !== undefined && Number.isInteger(n) ? Math.min(high, Math.max(low, n)) : otherwise;
}

function oneOf<T extends string>(all: readonly T[], v: Json | undefined, otherwise: T): T {
  return all.find((a) => a === v) ?? otherwise;
}

function present<T>(v: T | undefined): v is T {
  return v !== undefined;
}
