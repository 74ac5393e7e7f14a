/** Accounts that were replaced, one entry per cause, in words. Pure. */
import type { Restatement } from '../../api/books';
import { none, sum } from './hours';

export interface Change {
  key: string;
  at: string;
  why: string;
  job: number | null;
  records: number;
  /** "20 visible became filtered", as differences per outcome. */
  moves: string[];
  ranges: Restatement[];
}

const causes: Record<string, string> = {
  replay: 'Replay: records that had been skipped were processed',
  reprocess: 'Rules were applied to the past',
  live: 'Dead letters were mended and tried again',
  redrive: 'Dead letters were mended and tried again',
  compaction: 'A person was erased from the files',
  repair: 'A damaged file was derived again',
  skip: 'A range was skipped',
};

const outcomes = ['visible', 'duplicate', 'filtered', 'dead'] as const;

/** Rows of one job belong together, and so do rows of one commit without a job. Newest first, as given. */
export function changes(restatements: Restatement[]): Change[] {
  const groups = new Map<string, Restatement[]>();
  for (const r of restatements) {
    const key = r.job ? `job ${r.job}` : `commit ${r.commit}`;
    groups.set(key, [...(groups.get(key) ?? []), r]);
  }
  return [...groups].map(([key, ranges]) => {
    const first = ranges[0] as Restatement;
    return {
      key,
      at: first.at,
      why: causes[first.origin] ?? first.origin,
      job: first.job ?? null,
      records: ranges.reduce((n, r) => n + r.records, 0),
      moves: moves(ranges),
      ranges,
    };
  });
}

/** "+12 visible", "−12 filtered". */
function moves(ranges: Restatement[]): string[] {
  const was = ranges.reduce((t, r) => sum(t, r.was ?? none()), none());
  const now = ranges.reduce((t, r) => sum(t, r.now), none());
  return outcomes.flatMap((o) => {
    const difference = now[o] - was[o];
    if (difference === 0) return [];
    return [`${difference > 0 ? '+' : '−'}${Math.abs(difference).toLocaleString('en-GB')} ${o}`];
  });
}
