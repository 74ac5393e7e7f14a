import { describe, expect, it } from 'vitest';
import { seconds } from './duration';
import { compact, count, number, percent, ratio } from './number';
import { ago, bucket, dayName, hourMinute, instant, localDate, shiftDate } from './time';

describe('numbers', () => {
  it('groups digits and keeps two decimals', () => {
    expect(number(1234567)).toBe('1,234,567');
    expect(number(1.256)).toBe('1.26');
    expect(number(1234.56)).toBe('1,235');
    expect(number(0)).toBe('0');
    expect(number(-12)).toBe('-12');
  });
  it('shows a dash for no value', () => {
    for (const f of [number, compact, percent]) {
      expect(f(null)).toBe('–');
      expect(f(undefined)).toBe('–');
      expect(f(Number.NaN)).toBe('–');
    }
  });
  it('shortens for axes only when it is worth it', () => {
    expect(compact(9999)).toBe('9,999');
    expect(compact(12_345)).toBe('12.3k');
    expect(compact(2_500_000)).toMatch(/^2\.5\s?M$/i);
  });
  it('never rounds a share to all or nothing', () => {
    expect(percent(0.36374)).toBe('36.4 %');
    expect(percent(1)).toBe('100 %');
    expect(percent(0)).toBe('0 %');
    expect(percent(0.99999)).toBe('> 99.9 %');
    expect(percent(0.00001)).toBe('< 0.1 %');
  });
  it('has no ratio over nothing', () => {
    expect(ratio(1, 0)).toBeNull();
    expect(ratio(null, 3)).toBeNull();
    expect(ratio(0, 3)).toBe(0);
  });
  it('counts in words', () => {
    expect(count(1, 'person', 'people')).toBe('1 person');
    expect(count(2000, 'person', 'people')).toBe('2,000 people');
    expect(count(3, 'day')).toBe('3 days');
  });
});

describe('durations', () => {
  it.each([
    [0, '0 s'],
    [0.25, '250 ms'],
    [0.0001, '1 ms'],
    [9.5, '9.5 s'],
    [42, '42 s'],
    [60, '1 min'],
    [125, '2 min 5 s'],
    [3600, '1 h'],
    [3605, '1 h'],
    [93_784, '1 d 2 h'],
    [86_400 * 200 + 7200, '200 d'],
    [-60, '-1 min'],
  ])('%s s reads %s', (s, text) => expect(seconds(s)).toBe(text));
  it('shows a dash for no time', () => expect(seconds(null)).toBe('–'));
});

describe('times', () => {
  const at = '2026-11-20T23:30:05.250Z';
  it('uses the zone of the project', () => {
    expect(localDate(at, 'UTC')).toBe('2026-11-20');
    expect(localDate(at, 'Europe/Berlin')).toBe('2026-11-21');
    expect(hourMinute(at, 'Asia/Kolkata')).toBe('05:00');
    expect(instant(at, 'Europe/Berlin')).toContain('00:30:05');
  });
  it('falls back to UTC in an unknown zone', () => {
    expect(localDate(at, 'Mars/Olympus')).toBe('2026-11-20');
  });
  it('names days', () => {
    expect(dayName('2026-11-21', '2026-11-21')).toMatch(/^Today, Saturday/);
    expect(dayName('2026-02-28', '2026-03-01')).toMatch(/^Yesterday/);
    expect(dayName('2025-01-01', '2026-11-21')).toMatch(/^Wednesday,? 1 January 2025$/);
  });
  it('moves dates over month ends', () => expect(shiftDate('2026-03-01', -1)).toBe('2026-02-28'));
  it('labels buckets by interval', () => {
    expect(bucket('2026-11-02', 'day')).toBe('2 Nov');
    expect(bucket('2026-11-01', 'month')).toBe('Nov 2026');
    expect(bucket('2026-10-01', 'quarter')).toBe('Q4 2026');
    expect(bucket('2026-01-01', 'year')).toBe('2026');
    expect(bucket('2026-11-02', 'week', true)).toMatch(/^Week of 2 Nov 2026/);
  });
  it('keeps the two hours of a fall-back day apart', () => {
    const first = bucket('2025-11-02T01:00-04:00', 'hour', true);
    const second = bucket('2025-11-02T01:00-05:00', 'hour', true);
    expect(first).not.toBe(second);
    expect(first).toContain('01:00');
  });
  it('returns a label it cannot read as it is', () => {
    expect(bucket('total', 'none')).toBe('total');
    expect(bucket('Week 1', 'week')).toBe('Week 1');
  });
  it('says how long ago', () => {
    const now = Date.parse('2026-11-21T00:00:00Z');
    expect(ago(now - 1000, now)).toBe('just now');
    expect(ago(now - 45_000, now)).toBe('45 s ago');
    expect(ago(now - 7_200_000, now)).toBe('2 h ago');
    expect(ago(now - 86_400_000 * 3, now)).toBe('3 days ago');
    expect(ago(null, now)).toBe('–');
  });
});
