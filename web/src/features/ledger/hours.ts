/** Ledger intervals summed up by the hour in which they were received. Pure. */
import type { LedgerInterval, Tally } from '../../api/types';

export interface Hour {
  /** Start of the hour, ms UTC; null for intervals that do not say when. */
  at: number | null;
  tally: Tally;
  /** Records of this project; for what was not accounted, all offsets, since nobody knows whose they are. */
  records: number;
  intervals: LedgerInterval[];
  worst: LedgerInterval['status'];
}

const HOUR_MS = 3_600_000;
const rank = { accounted: 0, skipped: 1, lost: 2 };

export function byHour(intervals: LedgerInterval[]): Hour[] {
  const hours = new Map<number | null, Hour>();
  for (const i of intervals) {
    const ms = i.received_from ? Date.parse(i.received_from) : Number.NaN;
    const at = Number.isNaN(ms) ? null : Math.floor(ms / HOUR_MS) * HOUR_MS;
    const hour = hours.get(at) ?? { at, tally: none(), records: 0, intervals: [], worst: 'accounted' };
    hour.tally = sum(hour.tally, i.tally ?? none());
    hour.records += i.status === 'accounted' ? total(i.tally ?? none()) : i.to - i.from;
    hour.intervals.push(i);
    if (rank[i.status] > rank[hour.worst]) hour.worst = i.status;
    hours.set(at, hour);
  }
  return [...hours.values()].sort((a, b) => (b.at ?? 0) - (a.at ?? 0));
}

export function none(): Tally {
  return { visible: 0, duplicate: 0, filtered: 0, dead: 0, control: 0, hole: 0 };
}

export function sum(a: Tally, b: Tally): Tally {
  return {
    visible: a.visible + b.visible,
    duplicate: a.duplicate + b.duplicate,
    filtered: a.filtered + b.filtered,
    dead: a.dead + b.dead,
    control: a.control + b.control,
    hole: a.hole + b.hole,
  };
}

function total(t: Tally): number {
  return t.visible + t.duplicate + t.filtered + t.dead + t.control + t.hole;
}

/** Where the cursor stands between start and end, 0..1; an empty lane is done. */
export function progress(lane: { start: number; end: number; cursor: number }): number {
  const length = lane.end - lane.start;
  return length <= 0 ? 1 : Math.min(1, Math.max(0, (lane.cursor - lane.start) / length));
}
