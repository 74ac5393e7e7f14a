import { useEffect, useRef, useState } from 'react';

/**
 * Keeps the keyboard on the item that was moved: after the list has its new order, the same button of the moved
 * item has the focus, so that pressing again moves the same item on. Also says where it went.
 */
export function useFollowingFocus(items: unknown[]) {
  const list = useRef<HTMLOListElement>(null);
  const pending = useRef<{ at: number; by: -1 | 1 } | null>(null);
  const [said, say] = useState('');

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new order is what the focus waits for
  useEffect(() => {
    const target = pending.current;
    if (!target) return;
    pending.current = null;
    const item = list.current?.children[target.at];
    const wanted = item?.querySelector<HTMLElement>(`[data-tool="${target.by < 0 ? 'up' : 'down'}"]`);
    // At the end of the list the button is gone; the opposite one is still there.
    (wanted ?? item?.querySelector<HTMLElement>('[data-tool="up"], [data-tool="down"]'))?.focus();
  }, [items]);

  const follow = (at: number, by: -1 | 1, name: string) => {
    pending.current = { at, by };
    say(`${name} is now step ${at + 1}`);
  };
  return { list, follow, said };
}
