import { describe, expect, it } from 'vitest';
import { pause } from '../../api/live';
import type { EventItem } from '../../api/types';
import { glance, merged, who } from './merged';

const event = (seq: number, more: Partial<EventItem> = {}): EventItem => ({
  event: 'Play',
  time: '2026-11-21T00:00:00.000Z',
  seq,
  person: 'p',
  user_id: 'ana',
  device_id: null,
  received_at: '2026-11-21T00:00:01.000Z',
  annotations: [],
  ...more,
});

describe('the live list', () => {
  it('shows an event once, although stream and list both have it', () => {
    expect(merged([event(3), event(2)], [event(2), event(1)]).map((e) => e.seq)).toEqual([3, 2, 1]);
  });
  it('keeps two events apart whose sequence numbers look alike', () => {
    expect(merged([event(1)], [event(1, { event: 'Stop' })])).toHaveLength(2);
  });
  it('waits longer after each failure, but never for ever', () => {
    expect([1, 2, 3, 50].map(pause)).toEqual([1000, 2000, 4000, 15_000]);
  });
});

describe('one line of an event', () => {
  it('shows plain properties only', () => {
    const e = event(1, {
      properties: { $lib: 'x', plan: 'free', n: 3, list: [1], none: null, deep: {}, more: 1, x: 2 },
    });
    expect(glance(e)).toBe('plan: free · n: 3 · more: 1');
  });
  it('puts what every event has behind what is particular to it', () => {
    const e = event(1, { properties: { app_version: '5', genre: 'pop', platform: 'ios', seconds: 9 } });
    expect(glance(e)).toBe('genre: pop · seconds: 9 · app_version: 5');
  });
  it('names whom it can', () => {
    expect(who(event(1))).toBe('ana');
    expect(who(event(1, { user_id: null, device_id: 'd1' }))).toBe('d1');
    expect(who(event(1, { user_id: null }))).toBe('nobody');
  });
});
