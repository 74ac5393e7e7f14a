import { describe, expect, it } from 'vitest';
import { readState } from './codec';
import { complete, missing, toQuery } from './query';

describe('query objects', () => {
  it('writes a trend with a property measure, breakdown and segment', () => {
    const state = readState('segmentation', {
      series: [{ event: 'Purchase', measure: 'sum', property: 'amount' }],
      interval: 'day',
      range: '7d',
      by: 'user.plan',
      segment: [['user.country', 'is', ['DE']]],
    });
    expect(toQuery(state)).toEqual({
      type: 'segmentation',
      series: [{ event: 'Purchase', measure: 'sum', property: 'amount' }],
      range: { last: 7, unit: 'day' },
      interval: 'day',
      breakdown: [{ scope: 'user', property: 'plan' }],
      limit: 9,
      segment: [{ scope: 'user', property: 'country', op: 'is', value: ['DE'] }],
    });
  });

  it('names where a funnel takes its breakdown from', () => {
    const state = readState('funnel', { steps: [{ event: 'A' }, { event: 'B' }], by: 'event.plan' });
    expect(toQuery(state)).toMatchObject({
      steps: [{ event: 'A' }, { event: 'B' }],
      window: { n: 7, unit: 'day' },
      order: 'this_order',
      breakdown: { scope: 'event', property: 'plan', at: 'step:1' },
    });
  });

  it('sends retention sides and kind under the names of the API', () => {
    const state = readState('retention', {
      start: { event: 'A' },
      back: { event: 'B' },
      returned: 'on_or_after',
    });
    expect(toQuery(state)).toMatchObject({
      start: { event: 'A' },
      return: { event: 'B' },
      kind: 'on_or_after',
      mode: 'calendar',
    });
  });

  it('leaves out conditions that are still being typed', () => {
    expect(
      complete([
        { scope: 'event', property: 'a', op: 'is', value: [] },
        { scope: 'event', property: 'b', op: 'gt' },
        { scope: 'event', property: 'c', op: 'between', value: [1, null] },
        { scope: 'event', property: 'd', op: 'is_set' },
        { scope: 'event', property: 'e', op: 'gt', value: 0 },
        { scope: 'event', property: 'f', op: 'is', value: [false] },
      ]).map((c) => c.property),
    ).toEqual(['d', 'e', 'f']);
  });

  it('says what is missing', () => {
    expect(missing(readState('funnel', { steps: [{ event: 'A' }] }))).toMatch(/two steps/);
    expect(missing(readState('segmentation', { series: [] }))).toMatch(/event/);
    expect(missing(readState('segmentation', { series: [{ event: 'A', measure: 'sum' }] }))).toMatch(/sum/);
    expect(missing(readState('retention', {}))).toBeNull();
  });
});
