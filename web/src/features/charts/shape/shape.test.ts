import { describe, expect, it } from 'vitest';
import { readState } from '../state/codec';
import { funnelShapes, funnelSummary, funnelTable } from './funnel';
import { retentionShapes, retentionSummary, retentionTable } from './retention';
import { rangeText, seriesIndex, trendLines, trendSummary, trendTable } from './trend';

describe('trends', () => {
  const state = readState('segmentation', { series: [{ event: 'Play' }], range: '3d', by: 'user.plan' });
  const result = {
    buckets: ['2026-11-19', '2026-11-20', '2026-11-21'],
    incomplete: [false, false, true],
    series: [
      { key: 'A', breakdown: ['pro'], values: [3, 5, 9], total: 11 },
      { key: 'A', breakdown: ['(none)'], values: [1, null, 0], total: 1 },
      { key: 'A', breakdown: ['$other'], values: [0, 0, 1], total: 1 },
    ],
  };
  const lines = trendLines(state, result);

  it('name breakdown groups and keep the rest grey', () => {
    expect(lines.map((l) => l.name)).toEqual(['pro', '(not set)', 'All others']);
    expect(lines[2]?.color).toContain('other');
    expect(new Set(lines.map((l) => l.color)).size).toBe(3);
  });

  it('never call an incomplete bucket the highest', () => {
    const text = trendSummary(state, lines, result);
    expect(text).toContain('11 people did Play in the last 3 days');
    expect(text).toContain('Highest: Fri, 20 Nov 2026 with 5.');
  });

  it('put the whole range last in the table, not a sum', () => {
    const rows = trendTable(state, lines, result);
    expect(rows[0]).toEqual(['day', 'pro', '(not set)', 'All others', 'incomplete']);
    expect(rows[2]).toEqual(['2026-11-20', 5, null, 0, false]);
    expect(rows.at(-1)).toEqual(['whole range', 11, 1, 1, '']);
  });

  it('tell series of the same event apart', () => {
    const two = readState('segmentation', {
      series: [{ event: 'Play' }, { event: 'Play', measure: 'totals' }],
    });
    const named = trendLines(two, {
      buckets: [],
      incomplete: [],
      series: [
        { key: 'A', values: [], total: 1 },
        { key: 'B', values: [], total: 2 },
      ],
    });
    expect(named.map((l) => l.name)).toEqual(['Play, people', 'Play, events']);
  });

  it('find the series by letter, number or place', () => {
    expect(seriesIndex('B', 0)).toBe(1);
    expect(seriesIndex(2, 0)).toBe(2);
    expect(seriesIndex('3', 0)).toBe(3);
    expect(seriesIndex('Play', 4)).toBe(4);
  });

  it('say the range', () => {
    expect(rangeText({ last: 1, unit: 'day' })).toBe('in the last day');
    expect(rangeText({ from: '2026-01-01', to: '2026-01-31' })).toBe('from 1 Jan to 31 Jan 2026');
  });
});

describe('funnels', () => {
  const state = readState('funnel', {
    steps: [{ event: 'Sign Up' }, { event: 'Play' }, { event: 'Upgrade' }],
    window: '7d',
  });
  const result = {
    counts: [3310, 2000, 1204],
    step_times: [
      { avg_s: 90, median_s: 60 },
      { avg_s: 9000, median_s: 7500 },
    ],
    total_time: { avg_s: 9090, median_s: 7560 },
  };

  it('say the whole thing in one sentence', () => {
    expect(funnelSummary(state, funnelShapes(state, result))).toBe(
      '1,204 of 3,310 people (36.4 %) reached Upgrade within 7 days, half of them in 2 h 6 min or less. ' +
        'Most leave before Play: 1,310 of them.',
    );
  });

  it('give each step its times and its loss', () => {
    const steps = funnelShapes(state, result)[0]?.steps;
    expect(steps?.map((s) => [s.name, s.dropped, s.medianS])).toEqual([
      ['Sign Up', null, null],
      ['Play', 1310, 60],
      ['Upgrade', 796, 7500],
    ]);
    const padded = funnelShapes(state, {
      ...result,
      step_times: [{ avg_s: null, median_s: null }, ...result.step_times],
    });
    expect(padded[0]?.steps.map((s) => s.medianS)).toEqual([null, 60, 7500]);
  });

  it('have no rate when nobody entered', () => {
    const shapes = funnelShapes(state, { counts: [0, 0, 0], step_times: [] });
    expect(shapes[0]?.total).toBeNull();
    expect(shapes[0]?.steps[1]?.fromPrevious).toBeNull();
    expect(funnelSummary(state, shapes)).toBe('Nobody did Sign Up in the range.');
  });

  it('list groups in the table', () => {
    const shapes = funnelShapes(state, {
      groups: [
        { breakdown: 'pro', counts: [2, 1, 1], step_times: [] },
        { breakdown: '$other', counts: [1, 0, 0], step_times: [] },
      ],
    });
    const rows = funnelTable(shapes);
    expect(rows).toHaveLength(7);
    expect(rows[1]?.slice(0, 4)).toEqual(['pro', 1, 'Sign Up', 2]);
    expect(rows[4]?.[0]).toBe('All others');
  });
});

describe('retention', () => {
  const state = readState('retention', {
    start: { event: 'Sign Up' },
    back: { event: 'Play' },
    interval: 'week',
  });
  const result = {
    cohorts: [
      { cohort: '2026-11-02', size: 10, values: [10, 4, 2], complete: [true, true, false] },
      { cohort: '2026-11-09', size: 20, values: [20, 5, null], complete: [true, false, false] },
      { cohort: '2026-11-16', size: 0, values: [0, null, null], complete: [false, false, false] },
    ],
    overall: [1, 0.4, null],
  };
  const shapes = retentionShapes(result);

  it('tell a cell that may grow from one that has not begun', () => {
    expect(shapes[0]?.rows[0]?.cells[2]).toEqual({ people: 2, share: 0.2, open: true });
    expect(shapes[0]?.rows[1]?.cells[2]).toEqual({ people: null, share: null, open: false });
    expect(shapes[0]?.rows[2]?.cells[0]?.share).toBeNull();
  });

  it('sum up from complete cells only', () => {
    expect(retentionSummary(state, shapes)).toBe('Of the people who did Sign Up, 40.0 % did Play in week 1.');
    expect(retentionSummary(state, retentionShapes({ ...result, overall: [null, null, null] }))).toBe(
      '30 people did Sign Up; no later week is complete yet.',
    );
  });

  it('write a table with a column per offset', () => {
    const rows = retentionTable(shapes);
    expect(rows[0]).toEqual(['cohort', 'size', '0', '1', '2', 'incomplete from']);
    expect(rows[2]).toEqual(['2026-11-09', 20, 20, 5, null, 1]);
  });
});
