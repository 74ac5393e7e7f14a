/** A funnel answer, shaped for bars, a table and one sentence. */
import type { FunnelGroup, FunnelResult, StepTime } from '../../../api/types';
import { colour, otherColour } from '../../../ui/charts/palette';
import type { Cell } from '../../../ui/format/csv';
import { duration, seconds } from '../../../ui/format/duration';
import { count, number, percent, ratio } from '../../../ui/format/number';
import type { FunnelState } from '../state/types';
import { eventName, groupName, isOther } from './names';

export interface FunnelStep {
  name: string;
  count: number;
  /** Of the step before; null on the first. */
  fromPrevious: number | null;
  fromFirst: number | null;
  /** People of the step before who did not come here. */
  dropped: number | null;
  medianS: number | null;
  averageS: number | null;
}

export interface FunnelShape {
  id: string;
  /** Breakdown value; empty without a breakdown. */
  name: string;
  color: string;
  steps: FunnelStep[];
  total: number | null;
  medianTotalS: number | null;
}

export function funnelShapes(state: FunnelState, result: FunnelResult): FunnelShape[] {
  const groups: FunnelGroup[] =
    result.groups ?? (result.counts ? [{ ...result, counts: result.counts }] : []);
  let coloured = 0;
  return groups.map((g) => {
    const name = groupName(g.breakdown);
    return {
      id: name || 'all',
      name,
      color: isOther(g.breakdown) ? otherColour : colour(coloured++),
      steps: g.counts.map((n, k) => step(state, g, n, k)),
      total: ratio(g.counts.at(-1), g.counts[0]),
      medianTotalS: g.total_time?.median_s ?? null,
    };
  });
}

function step(state: FunnelState, g: FunnelGroup, n: number, k: number): FunnelStep {
  const before = k === 0 ? null : (g.counts[k - 1] ?? null);
  const time = k === 0 ? null : stepTime(g, k);
  return {
    name: eventName(state.steps[k]?.event ?? `Step ${k + 1}`),
    count: n,
    fromPrevious: k === 0 ? null : ratio(n, before),
    fromFirst: ratio(n, g.counts[0]),
    dropped: before === null ? null : before - n,
    medianS: time?.median_s ?? null,
    averageS: time?.avg_s ?? null,
  };
}

/** Times lead to a step, so there is one fewer than steps, unless the first carries an empty one. */
function stepTime(g: FunnelGroup, k: number): StepTime | null {
  const times = g.step_times ?? [];
  return times[times.length === g.counts.length ? k : k - 1] ?? null;
}

/** "1,204 of 3,310 people (36.4 %) reached Upgrade within 7 days, half of them in 2 h 5 min." */
export function funnelSummary(state: FunnelState, shapes: FunnelShape[]): string {
  const first = shapes[0];
  const start = first?.steps[0];
  const end = first?.steps.at(-1);
  if (!first || !start || !end) return 'Nobody entered this funnel in the range.';
  if (start.count === 0) return `Nobody did ${start.name} in the range.`;
  const who = first.name ? `Largest group, ${first.name}: ` : '';
  const half = first.medianTotalS === null ? '' : `, half of them in ${seconds(first.medianTotalS)} or less`;
  const worst = biggestDrop(first);
  const leak =
    worst && first.steps.length > 2
      ? ` Most leave before ${worst.name}: ${number(worst.dropped)} of them.`
      : '';
  const reached = `${number(end.count)} of ${count(start.count, 'person', 'people')} (${percent(first.total)})`;
  return `${who}${reached} reached ${end.name} within ${duration(state.window)}${half}.${leak}`;
}

function biggestDrop(shape: FunnelShape): FunnelStep | null {
  let worst: FunnelStep | null = null;
  for (const s of shape.steps) {
    if (s.dropped !== null && s.dropped > (worst?.dropped ?? 0)) worst = s;
  }
  return worst;
}

export function funnelTable(shapes: FunnelShape[]): Cell[][] {
  const grouped = shapes.some((s) => s.name !== '');
  const head: Cell[] = [
    ...(grouped ? ['group'] : []),
    'step',
    'event',
    'people',
    'of previous step',
    'of first step',
    'dropped',
    'median seconds',
    'average seconds',
  ];
  const rows = shapes.flatMap((g) =>
    g.steps.map((s, k): Cell[] => [
      ...(grouped ? [g.name] : []),
      k + 1,
      s.name,
      s.count,
      s.fromPrevious,
      s.fromFirst,
      s.dropped,
      s.medianS,
      s.averageS,
    ]),
  );
  return [head, ...rows];
}
