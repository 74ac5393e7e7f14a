/** A segmentation answer, shaped for lines, a table and one sentence. */
import type { SegmentationResult } from '../../../api/types';
import { colour, otherColour } from '../../../ui/charts/palette';
import type { Cell } from '../../../ui/format/csv';
import { count, number } from '../../../ui/format/number';
import { bucket } from '../../../ui/format/time';
import type { Range, SegmentationState, Series } from '../state/types';
import { eventName, groupName, isOther, seriesMeasure } from './names';

export interface TrendLine {
  id: string;
  name: string;
  color: string;
  values: (number | null)[];
  total: number | null;
  series: Series | undefined;
}

/** The series of the state that a result row belongs to: rows are named A, B, C… or numbered. */
export function seriesIndex(key: string | number, position: number): number {
  if (typeof key === 'number') return key;
  if (/^[A-Z]$/.test(key)) return key.charCodeAt(0) - 65;
  if (/^\d+$/.test(key)) return Number(key);
  return position;
}

export function trendLines(state: SegmentationState, result: SegmentationResult): TrendLine[] {
  const many = state.series.length > 1;
  let coloured = 0;
  return result.series.map((row, position) => {
    const index = seriesIndex(row.key, position);
    const series = state.series[index];
    const group = groupName(row.breakdown);
    const own = series ? seriesName(series, state.series) : String(row.key);
    const other = isOther(row.breakdown);
    return {
      id: `${row.key}|${group}`,
      name: group === '' ? own : many ? `${own}: ${group}` : group,
      color: other ? otherColour : colour(coloured++),
      values: row.values,
      total: row.total,
      series,
    };
  });
}

/** Only as much as is needed to tell the series apart. */
function seriesName(s: Series, all: Series[]): string {
  const name = eventName(s.event);
  if (all.length === 1) return name;
  const twins = all.filter((o) => o.event === s.event);
  const sameMeasure = all.every((o) => o.measure === s.measure && o.property === s.property);
  if (!sameMeasure) return `${name}, ${lower(seriesMeasure(s))}`;
  if (twins.length > 1) return `${name} ${String.fromCharCode(65 + all.indexOf(s))}`;
  return name;
}

/** The one sentence. */
export function trendSummary(
  state: SegmentationState,
  lines: TrendLine[],
  result: SegmentationResult,
): string {
  const first = lines[0];
  const s = first?.series;
  if (!first || !s) return 'No series.';
  const span = rangeText(state.range);
  if (first.total === null && first.values.every((v) => v === null)) {
    return `${eventName(s.event)} has no value ${span}.`;
  }
  const subject = state.by ? `“${first.name}” leads: ` : '';
  const text = `${subject}${sentence(s, first.total)} ${span}.`;
  const peak = peakOf(first.values, result.incomplete);
  if (peak === null || result.buckets.length < 2) return text;
  const when = bucket(result.buckets[peak] ?? '', state.interval, true);
  return `${text} Highest: ${when.replace(/^W/, 'w')} with ${number(first.values[peak] ?? null)}.`;
}

function sentence(s: Series, total: number | null): string {
  const did = s.event === '*' || s.event === '$active' ? 'were active' : `did ${eventName(s.event)}`;
  const n = total ?? 0;
  if (s.measure === 'uniques')
    return `${count(n, 'person', 'people')} ${n === 1 ? did.replace('were', 'was') : did}`;
  if (s.measure === 'totals') return `${eventName(s.event)} was counted ${count(n, 'time')}`;
  if (s.measure === 'average')
    return `people ${did === 'were active' ? 'sent' : did} ${number(total)} times each on average`;
  return `the ${lower(seriesMeasure(s))} over ${eventName(s.event)} was ${number(total)}`;
}

function peakOf(values: (number | null)[], incomplete: boolean[]): number | null {
  let best: number | null = null;
  for (const [i, v] of values.entries()) {
    if (v === null || v === 0 || incomplete[i]) continue;
    if (best === null || v > (values[best] ?? 0)) best = i;
  }
  return best;
}

/** "in the last 30 days", "from 1 Jan to 31 Jan 2026". */
export function rangeText(r: Range): string {
  if ('last' in r) return `in the last ${r.last === 1 ? r.unit : count(r.last, r.unit)}`;
  return `from ${bucket(r.from, 'day')} to ${bucket(r.to, 'day', true).replace(/^\w+,? /, '')}`;
}

/** Rows of the table and of the file: one per bucket, the whole range last. */
export function trendTable(
  state: SegmentationState,
  lines: TrendLine[],
  result: SegmentationResult,
): Cell[][] {
  const head: Cell[] = [state.interval, ...lines.map((l) => l.name), 'incomplete'];
  const rows = result.buckets.map((b, i): Cell[] => [
    b,
    ...lines.map((l) => l.values[i] ?? null),
    Boolean(result.incomplete[i]),
  ]);
  return [head, ...rows, ['whole range', ...lines.map((l) => l.total), '']];
}

function lower(s: string): string {
  return s.charAt(0).toLowerCase() + s.slice(1);
}
