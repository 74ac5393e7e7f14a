import { expect, it } from 'vitest';
import { moved, removed, replaced } from './lists';

it('edits lists without touching the old one', () => {
  const list = ['a', 'b', 'c'];
  expect(replaced(list, 1, 'x')).toEqual(['a', 'x', 'c']);
  expect(removed(list, 0)).toEqual(['b', 'c']);
  expect(moved(list, 2, -1)).toEqual(['a', 'c', 'b']);
  expect(moved(list, 0, -1)).toEqual(list);
  expect(moved(list, 2, 1)).toEqual(list);
  expect(list).toEqual(['a', 'b', 'c']);
});
