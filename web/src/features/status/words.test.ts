import { expect, test } from 'vitest';
import { toneOf, uptime } from './words';

test('uptime never rounds an outage away', () => {
  expect(uptime(1)).toBe('100 %');
  expect(uptime(0.999999)).toBe('99.99 %');
  expect(uptime(0.5)).toBe('50.00 %');
  expect(uptime(null)).toBe('not watched yet');
});

test('a day that was not watched is not fine', () => {
  expect(toneOf(null)).toBe('unknown');
  expect(toneOf('operational')).toBe('fine');
  expect(toneOf('major_outage')).toBe('bad');
});
