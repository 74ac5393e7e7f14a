import { describe, expect, it } from 'vitest';
import type { EventItem } from '../../api/types';
import { byDay, personName, short } from './naming';

const person = (more: object) => ({ person: 'p1', user_ids: [], device_ids: [], properties: {}, ...more });

describe('names', () => {
  it('prefer what people call themselves', () => {
    expect(personName(person({ properties: { email: 'a@b.c', name: 'Ana' }, user_ids: ['u1'] }))).toBe('Ana');
    expect(personName(person({ properties: { name: ' ' }, user_ids: ['u1'] }))).toBe('u1');
    expect(personName(person({ device_ids: ['0123456789abcdef0123'] }))).toBe('Anonymous 0123456789a…0123');
    expect(personName(person({ properties: null }))).toBe('Anonymous p1');
  });
  it('shorten only long ids', () => {
    expect(short('abc')).toBe('abc');
    expect(short('a'.repeat(40))).toHaveLength(16);
  });
});

it('groups a timeline by the local day of the project', () => {
  const at = (time: string) => ({ time, event: 'x' }) as EventItem;
  const events = [at('2026-11-21T00:10:00Z'), at('2026-11-20T23:40:00Z'), at('2026-11-20T12:00:00Z')];
  expect(byDay(events, 'UTC').map((d) => [d.date, d.events.length])).toEqual([
    ['2026-11-21', 1],
    ['2026-11-20', 2],
  ]);
  expect(byDay(events, 'Europe/Berlin').map((d) => d.events.length)).toEqual([2, 1]);
  expect(byDay([], 'UTC')).toEqual([]);
});
