/** Lists that are edited without changing the list that was there. */

export function replaced<T>(list: T[], at: number, item: T): T[] {
  return list.map((old, i) => (i === at ? item : old));
}

export function removed<T>(list: T[], at: number): T[] {
  return list.filter((_, i) => i !== at);
}

/** Moves one place; a move over the edge changes nothing. */
export function moved<T>(list: T[], at: number, by: -1 | 1): T[] {
  const to = at + by;
  const a = list[at];
  const b = list[to];
  if (a === undefined || b === undefined) return list;
  return list.map((old, i) => (i === at ? b : i === to ? a : old));
}
