/** Erasures in words. Pure. */
import type { Erasure } from '../../api/books';

/** What the state of an erasure means for those who look. */
export function erasureText(e: Pick<Erasure, 'state'>): string {
  const texts: Record<string, string> = {
    unpublished: 'On its way: hidden within seconds',
    hidden: 'Hidden everywhere; can be taken back',
    due: 'Hidden for good; being removed from the files',
    done: 'Removed from the files',
    undone: 'Taken back',
  };
  return texts[e.state] ?? e.state;
}

/** Whether it can still be taken back. */
export function undoable(e: Pick<Erasure, 'state' | 'undo_until'>, now: number): boolean {
  return (e.state === 'unpublished' || e.state === 'hidden') && Date.parse(e.undo_until) > now;
}
