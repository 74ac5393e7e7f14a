import { describe, expect, it } from 'vitest';
import type { Skipped } from '../../api/books';
import type { Identity } from '../../api/types';
import { accounted, difference, verdict } from './verdict';

const balanced: Identity = {
  acknowledged: 1000,
  visible: 940,
  duplicate: 30,
  filtered: 5,
  dead: 15,
  pending: 10,
  balanced: true,
  pending_exact: true,
};
const gap = { lane: 'live', partition: 0, from: 3, to: 5, cause: 'corrupt', evidence: '' };

describe('the ledger verdict', () => {
  it('adds the right side up', () => {
    expect(accounted(balanced)).toBe(1000);
    expect(difference(balanced)).toBe(0);
  });
  it('is good only when nothing is pending', () => {
    expect(verdict({ identity: balanced, gaps: [] }).state).toBe('waiting');
    const done = { ...balanced, visible: 950, pending: 0 };
    expect(verdict({ identity: done, gaps: [] }).state).toBe('good');
  });
  it('does not believe "balanced" when the terms disagree', () => {
    const wrong = verdict({ identity: { ...balanced, acknowledged: 1007 }, gaps: [] });
    expect(wrong.state).toBe('bad');
    expect(wrong.long).toContain('7 events are missing');
  });
  it('does not overrule the server when it reports an imbalance', () => {
    expect(verdict({ identity: { ...balanced, balanced: false }, gaps: [] }).state).toBe('bad');
  });
  it('never calls a log with gaps good', () => {
    expect(verdict({ identity: balanced, gaps: [gap] })).toMatchObject({
      state: 'gap',
      short: '1 gap in the log',
    });
  });
  it('never says that what was skipped comes by itself', () => {
    const skipped = [{ from: 14, to: 19 } as Skipped];
    const v = verdict({ identity: balanced, gaps: [], skipped });
    expect(v).toMatchObject({ state: 'gap', short: '5 records skipped' });
    expect(v.long).not.toMatch(/within seconds/);
  });
});
