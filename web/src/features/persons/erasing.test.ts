import { expect, it } from 'vitest';
import { erasureText, undoable } from './erasing';

it('lets an erasure be taken back only in its time', () => {
  const until = '2026-11-28T00:00:00Z';
  const before = Date.parse('2026-11-27T00:00:00Z');
  expect(undoable({ state: 'hidden', undo_until: until }, before)).toBe(true);
  expect(undoable({ state: 'hidden', undo_until: until }, Date.parse(until))).toBe(false);
  expect(undoable({ state: 'undone', undo_until: until }, before)).toBe(false);
  expect(undoable({ state: 'due', undo_until: until }, before)).toBe(false);
});

it('names states, and shows one that it does not know as it is', () => {
  expect(erasureText({ state: 'undone' })).toBe('Taken back');
  expect(erasureText({ state: 'new' })).toBe('new');
});
