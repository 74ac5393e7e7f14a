/** Colours of series, by place; the rest of a breakdown is always grey. */
const COLOURS = 10;

export function colour(index: number): string {
  return `var(--tm-series-${(index % COLOURS) + 1})`;
}

export const otherColour = 'var(--tm-series-other)';
