import { describe, expect, it } from 'vitest';
import type { LedgerInterval } from '../../api/types';
import { byHour, none, progress, sum } from './hours';

const interval = (
  from: number,
  to: number,
  at: string,
  more: Partial<LedgerInterval> = {},
): LedgerInterval => ({
  lane: 'live',
  partition: 0,
  from,
  to,
  received_from: at,
  received_to: at,
  status: 'accounted',
  fingerprint: '00',
  tally: { ...none(), visible: to - from },
  ...more,
});

describe('hours of the ledger', () => {
  const hours = byHour([
    interval(0, 10, '2026-11-20T10:05:00Z'),
    interval(0, 5, '2026-11-20T10:59:59.999Z', { partition: 1 }),
    interval(10, 12, '2026-11-20T11:00:00Z', { status: 'lost', tally: none(), reason: 'corrupt' }),
    interval(12, 20, '', { tally: { ...none(), visible: 1 } }),
  ]);

  it('come newest first, each summed over its partitions', () => {
    expect(hours.map((h) => [h.at && new Date(h.at).toISOString().slice(11, 16), h.records])).toEqual([
      ['11:00', 2],
      ['10:00', 15],
      [null, 1],
    ]);
    expect(hours[1]?.tally.visible).toBe(15);
  });

  it('show the worst that happened in them', () => {
    expect(hours[0]?.worst).toBe('lost');
    expect(hours[0]?.tally).toEqual(none());
  });
});

it('adds tallies term by term', () => {
  expect(sum({ ...none(), dead: 2 }, { ...none(), dead: 1, hole: 4 })).toEqual({
    ...none(),
    dead: 3,
    hole: 4,
  });
});

it('knows how far a lane is', () => {
  expect(progress({ start: 100, end: 200, cursor: 150 })).toBe(0.5);
  expect(progress({ start: 0, end: 0, cursor: 0 })).toBe(1);
  expect(progress({ start: 0, end: 10, cursor: 99 })).toBe(1);
});
