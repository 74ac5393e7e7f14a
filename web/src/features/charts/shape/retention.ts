/** A retention answer, shaped for the triangle, the curve, a table and one sentence. */
import type { RetentionGroup, RetentionResult } from '../../../api/types';
import { colour, otherColour } from '../../../ui/charts/palette';
import type { Cell } from '../../../ui/format/csv';
import { count, percent, ratio } from '../../../ui/format/number';
import type { RetentionState } from '../state/types';
import { eventName, groupName, isOther } from './names';

export interface RetentionCell {
  /** People; null = that time has not begun. */
  people: number | null;
  share: number | null;
  /** May still grow. */
  open: boolean;
}

export interface RetentionRow {
  cohort: string;
  size: number;
  cells: RetentionCell[];
}

export interface RetentionShape {
  id: string;
  name: string;
  color: string;
  size: number;
  rows: RetentionRow[];
  overall: (number | null)[];
}

export function retentionShapes(result: RetentionResult): RetentionShape[] {
  const groups: RetentionGroup[] =
    result.groups ?? (result.cohorts ? [{ cohorts: result.cohorts, overall: result.overall ?? [] }] : []);
  let coloured = 0;
  return groups.map((g) => {
    const name = groupName(g.breakdown);
    return {
      id: name || 'all',
      name,
      color: isOther(g.breakdown) ? otherColour : colour(coloured++),
      size: g.cohorts.reduce((sum, c) => sum + c.size, 0),
      overall: g.overall,
      rows: g.cohorts.map((c) => ({
        cohort: c.cohort,
        size: c.size,
        cells: c.values.map((v, k) => ({
          people: v,
          share: ratio(v, c.size),
          open: v !== null && c.complete[k] === false,
        })),
      })),
    };
  });
}

/** "31.2 % of the people who did Sign Up came back in week 1 (Play), and 12.0 % in week 7." */
export function retentionSummary(state: RetentionState, shapes: RetentionShape[]): string {
  const first = shapes[0];
  if (!first || first.size === 0) return `Nobody did ${eventName(state.start.event)} in the range.`;
  const known = first.overall
    .map((share, k) => ({ share, k }))
    .filter((x): x is { share: number; k: number } => x.k > 0 && x.share !== null);
  const one = known[0];
  const last = known.at(-1);
  const who = first.name ? `Largest group, ${first.name}: ` : '';
  const start = startText(state);
  if (!one || !last) {
    return `${who}${count(first.size, 'person', 'people')} ${start}; no later ${state.interval} is complete yet.`;
  }
  const later = state.returned === 'on' ? 'in' : 'in or after';
  const back = isAny(state.back.event) ? 'came back' : `did ${eventName(state.back.event)}`;
  const tail = last.k === one.k ? '' : `, and ${percent(last.share)} ${later} ${state.interval} ${last.k}`;
  return `${who}Of the people who ${start}, ${percent(one.share)} ${back} ${later} ${state.interval} ${one.k}${tail}.`;
}

function startText(state: RetentionState): string {
  return isAny(state.start.event) ? 'were active' : `did ${eventName(state.start.event)}`;
}

function isAny(event: string): boolean {
  return event === '*' || event === '$active';
}

export function retentionTable(shapes: RetentionShape[]): Cell[][] {
  const grouped = shapes.some((s) => s.name !== '');
  const periods = Math.max(0, ...shapes.flatMap((s) => s.rows.map((r) => r.cells.length)));
  const offsets = Array.from({ length: periods }, (_, k) => k);
  const head: Cell[] = [
    ...(grouped ? ['group'] : []),
    'cohort',
    'size',
    ...offsets.map(String),
    'incomplete from',
  ];
  const rows = shapes.flatMap((g) =>
    g.rows.map((r): Cell[] => {
      const open = r.cells.findIndex((c) => c.open);
      return [
        ...(grouped ? [g.name] : []),
        r.cohort,
        r.size,
        ...offsets.map((k) => r.cells[k]?.people ?? null),
        open < 0 ? '' : open,
      ];
    }),
  );
  return [head, ...rows];
}
