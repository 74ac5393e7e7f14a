import { describe, expect, it } from 'vitest';
import { labelled, linePaths, slot, slotAt, valueScale } from './scales';

describe('value scale', () => {
  it('starts at zero and ends at a round number', () => {
    const { y, ticks } = valueScale([3, 97], 100);
    expect(y(0)).toBe(100);
    expect(y(100)).toBe(0);
    expect(ticks[0]).toBe(0);
  });
  it('rules no half events', () => {
    expect(valueScale([0, 1, 2], 100).ticks.every(Number.isInteger)).toBe(true);
  });
  it('reaches below zero for refunds', () => {
    const { y } = valueScale([-50, 100], 150);
    expect(y(-50)).toBeGreaterThan(y(0));
    expect(y(-50)).toBeLessThanOrEqual(150);
  });
  it('has a scale for nothing', () => {
    expect(valueScale([null, null], 80).y(0)).toBe(80);
    expect(valueScale([], 80).y(1)).toBe(0);
  });
});

describe('slots', () => {
  it('are found again from their centre', () => {
    for (let i = 0; i < 7; i++) expect(slotAt(slot(i, 7, 500), 7, 500)).toBe(i);
  });
  it('clamp outside positions', () => {
    expect(slotAt(-5, 4, 100)).toBe(0);
    expect(slotAt(500, 4, 100)).toBe(3);
    expect(slotAt(10, 0, 100)).toBe(0);
  });
  it('always label the newest', () => {
    expect(labelled(30, 300, 60).has(29)).toBe(true);
    expect(labelled(30, 300, 60).size).toBe(5);
    expect(labelled(3, 900, 60).size).toBe(3);
  });
});

describe('line paths', () => {
  const p = (x: number) => ({ x, y: 1 });
  it('dash only what touches an incomplete bucket', () => {
    const { sure, unsure } = linePaths([p(0), p(1), p(2)], [false, false, true]);
    expect(sure).toBe('M0,1L1,1');
    expect(unsure).toBe('M1,1L2,1');
  });
  it('break at missing values and keep lone points', () => {
    const { sure } = linePaths(
      [p(0), null, p(2), null, p(4), p(5)],
      [false, false, false, false, false, false],
    );
    expect(sure).toBe('M0,1L0,1M2,1L2,1M4,1L5,1');
  });
});
