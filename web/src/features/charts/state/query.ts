/** From chart state to the query object of the API. Pure; the explain panel shows exactly this. */
import type { Condition, Query, QueryRange, Selector } from '../../../api/types';
import {
  type ChartState,
  type FunnelState,
  needsProperty,
  needsValue,
  type Range,
  type RetentionState,
  type SegmentationState,
  type Step,
} from './types';

/** Breakdown groups asked for: as many as a chart can tell apart by colour. */
export const GROUPS = { lines: 9, funnels: 6, retentions: 6 };

export function toQuery(state: ChartState): Query {
  if (state.kind === 'segmentation') return segmentation(state);
  if (state.kind === 'funnel') return funnel(state);
  return retention(state);
}

function segmentation(s: SegmentationState): Query {
  return {
    type: 'segmentation',
    series: s.series.map((one) => ({
      ...selector(one),
      measure: one.measure,
      ...(needsProperty(one.measure) ? { property: one.property } : {}),
    })),
    range: range(s.range),
    interval: s.interval,
    ...(s.by ? { breakdown: [s.by], limit: GROUPS.lines } : {}),
    ...segment(s.segment),
  };
}

function funnel(s: FunnelState): Query {
  return {
    type: 'funnel',
    steps: s.steps.map(selector),
    window: s.window,
    order: 'this_order',
    range: range(s.range),
    ...(s.by ? { breakdown: { ...s.by, at: 'step:1' }, limit: GROUPS.funnels } : {}),
    ...segment(s.segment),
  };
}

function retention(s: RetentionState): Query {
  return {
    type: 'retention',
    start: selector(s.start),
    return: selector(s.back),
    range: range(s.range),
    interval: s.interval,
    periods: s.periods,
    mode: s.mode,
    kind: s.returned,
    ...(s.by ? { breakdown: [s.by], limit: GROUPS.retentions } : {}),
    ...segment(s.segment),
  };
}

/** What is still missing before the query can run, as a sentence; null when it can. */
export function missing(state: ChartState): string | null {
  if (state.kind === 'segmentation') {
    if (state.series.length === 0) return 'Add an event to draw its trend.';
    const open = state.series.find((s) => needsProperty(s.measure) && !s.property);
    return open ? `Choose the number property to take the ${open.measure} of.` : null;
  }
  if (state.kind === 'funnel' && state.steps.length < 2) {
    return 'A funnel needs at least two steps.';
  }
  return null;
}

/** Conditions that are being typed (no value yet) do not take part. */
export function complete(conditions: Condition[]): Condition[] {
  return conditions.filter((c) => {
    if (!needsValue(c.op)) return true;
    if (Array.isArray(c.value)) return c.value.length > 0 && c.value.every((v) => v !== null && v !== '');
    return c.value !== undefined && c.value !== null && c.value !== '';
  });
}

function selector(step: Step): Selector {
  const where = complete(step.where);
  return where.length ? { event: step.event, where } : { event: step.event };
}

function segment(conditions: Condition[]): { segment?: Condition[] } {
  const all = complete(conditions);
  return all.length ? { segment: all } : {};
}

function range(r: Range): QueryRange {
  return 'last' in r ? { last: r.last, unit: r.unit } : { from: r.from, to: r.to };
}
