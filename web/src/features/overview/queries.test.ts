import { expect, it } from 'vitest';
import { change, topEvents, topQuery } from './queries';

it('takes the most frequent events, without operations', () => {
  const events = [
    { name: 'b', count: 2, operation: false },
    { name: '$identify', count: 99, operation: true },
    { name: 'a', count: 5, operation: false },
  ];
  expect(topEvents(events)).toEqual(['a', 'b']);
  expect(topQuery(['a']).series).toEqual([{ event: 'a', measure: 'totals' }]);
});

it('compares today with yesterday only when both are known', () => {
  expect(change([1, 2, 3])).toEqual({ today: 3, yesterday: 2 });
  expect(change([3])).toBeNull();
  expect(change([null, 3])).toBeNull();
  expect(change(undefined)).toBeNull();
});
