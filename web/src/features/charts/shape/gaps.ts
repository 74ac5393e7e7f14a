/** What an answer does not count: in words, and where on the chart. Pure. */
import type { AnswerGap, Envelope } from '../../../api/types';
import { count } from '../../../ui/format/number';
import { hourMinute, instant, localDate } from '../../../ui/format/time';

const states: Record<AnswerGap['state'], string> = {
  skipped: 'were passed by on purpose; they count once they are replayed',
  lost: 'were lost: they cannot be read any more',
  unaccounted: 'are still being processed',
};

export interface GapNote {
  state: AnswerGap['state'];
  text: string;
  reasons: string[];
}

/** One sentence per kind of gap, worst first. */
export function gapNotes(gaps: AnswerGap[], zone: string): GapNote[] {
  return (['lost', 'skipped', 'unaccounted'] as const).flatMap((state) => {
    const of = gaps.filter((g) => g.state === state);
    if (of.length === 0) return [];
    const records = of.reduce((n, g) => n + g.count, 0);
    const from = Math.min(...of.map((g) => at(g.received_from) ?? Number.POSITIVE_INFINITY));
    const to = Math.max(...of.map((g) => at(g.received_to) ?? Number.NEGATIVE_INFINITY));
    const when = Number.isFinite(from) ? `received ${span(from, to, zone)}` : 'received at an unknown time';
    const text = `Not everything is counted: ${count(records, 'record')} of this server, ${when}, ${states[state]}.`;
    return [
      {
        state,
        text,
        reasons: [...new Set(of.flatMap((g) => g.reason?.replace(/^skipped by (user:)?/, 'by ') ?? []))],
      },
    ];
  });
}

/** Instants are shown to the second: a span within one is a moment. */
function span(from: number, to: number, zone: string): string {
  const [first, last] = [instant(from, zone), instant(Math.max(from, to), zone)];
  return first === last ? `at ${first}` : `from ${first} to ${last}`;
}

/** Buckets in which records were received that are not counted. */
export function bucketsMissing(buckets: string[], gaps: AnswerGap[], zone: string): boolean[] {
  const starts = buckets.map((b) => (b.includes('T') ? b.slice(0, 16) : `${b}T00:00`));
  const spans = gaps.flatMap((g) => {
    const from = at(g.received_from);
    return from === null ? [] : [{ from: local(from, zone), to: local(at(g.received_to) ?? from, zone) }];
  });
  return starts.map((start, i) => {
    const end = starts[i + 1];
    return spans.some((s) => s.to >= start && (end === undefined || s.from < end));
  });
}

/** How late the numbers are, in seconds; null if that is not known. */
export function lag(e: Envelope): number | null {
  const through = at(e.complete_through);
  const asOf = at(e.as_of);
  return through === null || through === 0 || asOf === null ? null : (asOf - through) / 1000;
}

function at(v: string | number | null | undefined): number | null {
  if (v === null || v === undefined) return null;
  const ms = typeof v === 'number' ? v : Date.parse(v);
  return Number.isNaN(ms) ? null : ms;
}

function local(ms: number, zone: string): string {
  return `${localDate(ms, zone)}T${hourMinute(ms, zone)}`;
}
