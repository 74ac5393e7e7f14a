import { describe, expect, it } from 'vitest';
import type { Outcome, Restatement } from '../../api/books';
import { none } from './hours';
import { decidedHow, sentence } from './outcomes';
import { changes } from './restated';

const row = (more: object): Restatement => ({
  commit: 3,
  at: '2026-11-21T08:00:00Z',
  origin: 'reprocess',
  lane: 'live',
  partition: 0,
  from: 0,
  to: 10,
  records: 10,
  now: none(),
  ...more,
});

describe('what changed afterwards', () => {
  it('adds up the ranges of one job', () => {
    const was = { ...none(), visible: 10 };
    const now = { ...none(), visible: 4, filtered: 6 };
    const [only, ...more] = changes([
      row({ job: 7, was, now }),
      row({ job: 7, commit: 4, partition: 1, was, now }),
    ]);
    expect(more).toEqual([]);
    expect(only?.moves).toEqual(['−12 visible', '+12 filtered']);
    expect(only?.records).toBe(20);
    expect(only?.ranges).toHaveLength(2);
  });
  it('keeps causes apart, and counts what was skipped from nothing', () => {
    const list = changes([
      row({ commit: 9, origin: 'replay', now: { ...none(), visible: 3, duplicate: 1 } }),
      row({ commit: 8, origin: 'live', was: { ...none(), dead: 1 }, now: { ...none(), visible: 1 } }),
    ]);
    expect(list.map((c) => c.moves)).toEqual([
      ['+3 visible', '+1 duplicate'],
      ['+1 visible', '−1 dead'],
    ]);
    expect(list[0]?.why).toMatch(/^Replay/);
  });
});

describe('what became of a record', () => {
  const outcome = (more: object): Outcome => ({
    position: 'live/0@1',
    outcome: 'visible',
    decisions: 1,
    ...more,
  });
  it('is a sentence with the reason in it', () => {
    expect(sentence(outcome({}))).toMatch(/stored/);
    expect(sentence(outcome({ outcome: 'dead', reason: { code: 'x', message: 'no time' } }))).toMatch(
      /understood: no time\./,
    );
  });
  it('tells earlier decisions', () => {
    expect(decidedHow(outcome({ origin: 'live' }))).toBe('as it arrived');
    expect(decidedHow(outcome({ origin: 'reprocess', decisions: 3 }))).toBe(
      'when rules were applied to the past, after 2 earlier decisions',
    );
  });
});
