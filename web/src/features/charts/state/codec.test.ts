import { describe, expect, it } from 'vitest';
import { type ChartSearch, readRange, readState, writeState } from './codec';
import type { ChartState } from './types';

/** The way a link goes: written, put into an address as JSON, read again. */
function travel(state: ChartState): ChartState {
  const search = JSON.parse(JSON.stringify(writeState(state))) as ChartSearch;
  return readState(state.kind, search);
}

const states: ChartState[] = [
  {
    kind: 'segmentation',
    series: [
      { event: 'Play', where: [], measure: 'uniques' },
      {
        event: 'Purchase',
        where: [
          { scope: 'event', property: 'plan.name', op: 'is', value: ['pro', 'team'] },
          { scope: 'user', property: 'age', op: 'between', value: [18, 30] },
          { scope: 'event', property: 'coupon', op: 'is_not_set' },
        ],
        measure: 'p90',
        property: 'amount',
      },
    ],
    interval: 'week',
    view: 'bar',
    range: { from: '2026-01-01', to: '2026-02-28' },
    segment: [{ scope: 'person', property: 'country', op: 'contains', value: 'ü&="' }],
    by: { scope: 'user', property: 'plan.tier' },
  },
  {
    kind: 'funnel',
    steps: [
      { event: 'Sign Up', where: [] },
      { event: 'Upgrade', where: [] },
    ],
    window: { n: 45, unit: 'minute' },
    range: { last: 12, unit: 'month' },
    segment: [],
    by: undefined,
  },
  {
    kind: 'retention',
    start: { event: 'Sign Up', where: [{ scope: 'event', property: 'free', op: 'is', value: [true] }] },
    back: { event: '$active', where: [] },
    interval: 'month',
    periods: 11,
    mode: 'rolling',
    returned: 'on_or_after',
    view: 'people',
    range: { last: 48, unit: 'hour' },
    segment: [],
    by: { scope: 'event', property: 'source' },
  },
];

describe('chart state in the address', () => {
  it.each(states)('comes back unchanged: $kind', (state) => {
    expect(travel(state)).toEqual(state);
  });

  it('keeps a numeric-looking event name a text', () => {
    expect(readState('funnel', { steps: [{ event: 404 }] }).steps).toEqual([{ event: '404', where: [] }]);
  });

  it('opens an empty trend on every person, and an emptied one on nothing', () => {
    expect(readState('segmentation', {}).series).toHaveLength(1);
    expect(readState('segmentation', { series: [] }).series).toHaveLength(0);
  });

  it.each([
    { series: 'x', interval: 'fortnight', range: 'all', by: 'plan', segment: { a: 1 }, view: 7 },
    { series: [null, 3, {}, { event: '' }], range: '2026-02-30..2026-03-01', by: 'planet.x' },
    { steps: [[]], window: '0', order: null, periods: 'NaN', start: 'Sign Up', back: [], mode: {} },
    { segment: [['event.x', 'drop_table', 1], ['x', 'is'], [], 'is'], periods: -4 },
  ] as ChartSearch[])('survives a damaged link %#', (search) => {
    for (const kind of ['segmentation', 'funnel', 'retention'] as const) {
      const state = readState(kind, search);
      expect(state.segment).toEqual([]);
      expect(state.by).toBeUndefined();
      expect(travel(state)).toEqual(state);
    }
  });

  it('bounds what a link can ask for', () => {
    const steps = Array.from({ length: 500 }, (_, i) => ({ event: `e${i}` }));
    expect(readState('funnel', { steps }).steps).toHaveLength(20);
    expect(readState('retention', { periods: 9999 }).periods).toBe(60);
  });
});

describe('ranges', () => {
  it('reads relative and fixed ranges', () => {
    expect(readRange('7d')).toEqual({ last: 7, unit: 'day' });
    expect(readRange('2026-03-01..2026-03-31')).toEqual({ from: '2026-03-01', to: '2026-03-31' });
  });
  it('turns a reversed range round', () => {
    expect(readRange('2026-03-31..2026-03-01')).toEqual({ from: '2026-03-01', to: '2026-03-31' });
  });
  it('refuses dates that do not exist', () => {
    expect(readRange('2026-02-30..2026-03-01')).toBeUndefined();
    expect(readRange('yesterday')).toBeUndefined();
    expect(readRange('0x')).toBeUndefined();
  });
});
