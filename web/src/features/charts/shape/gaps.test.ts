import { describe, expect, it } from 'vitest';
import type { AnswerGap } from '../../../api/types';
import { runs } from '../../../ui/charts/scales';
import { bucketsMissing, gapNotes, lag } from './gaps';

const gap = (from: string, to: string, more: object = {}): AnswerGap => ({
  lane: 'live',
  partition: 0,
  from: 0,
  to: 10,
  received_from: from,
  received_to: to,
  count: 10,
  state: 'skipped',
  reason: 'by ana: poison',
  ...more,
});

describe('gaps on a chart', () => {
  const days = ['2026-11-19', '2026-11-20', '2026-11-21'];
  it('shade the days in which the records were received, in the zone of the project', () => {
    const late = [gap('2026-11-20T23:30:00Z', '2026-11-20T23:40:00Z')];
    expect(bucketsMissing(days, late, 'UTC')).toEqual([false, true, false]);
    expect(bucketsMissing(days, late, 'Europe/Berlin')).toEqual([false, false, true]);
    expect(bucketsMissing(days, [gap('2026-11-01T00:00:00Z', '2026-11-19T01:00:00Z')], 'UTC')).toEqual([
      true,
      false,
      false,
    ]);
    expect(bucketsMissing(days, [gap('2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z')], 'UTC')).not.toContain(
      true,
    );
  });
  it('shade hours', () => {
    const hours = ['2026-11-21T13:00:00+00:00', '2026-11-21T14:00:00+00:00', '2026-11-21T15:00:00+00:00'];
    const one = [gap('2026-11-21T14:10:00Z', '2026-11-21T14:20:00Z')];
    expect(bucketsMissing(hours, one, 'UTC')).toEqual([false, true, false]);
  });
  it('become bands', () => {
    expect(runs([true, true, false, true])).toEqual([
      [0, 2],
      [3, 4],
    ]);
    expect(runs([])).toEqual([]);
  });
});

describe('gaps in words', () => {
  it('are one sentence per kind, worst first, with every reason once', () => {
    const a = gap('2026-11-20T10:00:00Z', '2026-11-20T11:00:00Z');
    const notes = gapNotes(
      [a, a, gap(a.received_from as string, a.received_to as string, { state: 'lost' })],
      'UTC',
    );
    expect(notes.map((n) => n.state)).toEqual(['lost', 'skipped']);
    expect(notes[1]?.text).toMatch(/20 records .*20 Nov 2026, 10:00:00 to .*passed by on purpose/);
    expect(notes[1]?.reasons).toEqual(['by ana: poison']);
  });
});

it('knows how late numbers are', () => {
  expect(lag({ as_of: '2026-11-21T10:02:00Z', complete_through: '2026-11-21T10:00:00Z' })).toBe(120);
  expect(lag({ as_of: '2026-11-21T10:02:00Z', complete_through: '1970-01-01T00:00:00.000Z' })).toBeNull();
  expect(lag({})).toBeNull();
});
