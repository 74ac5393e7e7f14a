/** Where things go on a chart: pure arithmetic, so that tests can look at it. */
import { scaleLinear } from 'd3-scale';

export interface Point {
  x: number;
  y: number;
}

/** A vertical scale from 0 (or below, if values are) with a round top, and the lines to rule. */
export function valueScale(values: (number | null)[], height: number, lines = 5) {
  const numbers = values.filter((v): v is number => v !== null && Number.isFinite(v));
  const top = Math.max(0, ...numbers);
  const bottom = Math.min(0, ...numbers);
  const scale = scaleLinear()
    .domain(top === bottom ? [0, 1] : [bottom, top])
    .range([height, 0])
    .nice(lines);
  // Counting things has no half lines.
  const whole = numbers.every(Number.isInteger);
  const ticks = scale.ticks(lines).filter((t) => !whole || Number.isInteger(t));
  return { y: (v: number) => scale(v), ticks };
}

/** Centre of bucket i when n buckets share the width. */
export function slot(i: number, n: number, width: number): number {
  return n <= 0 ? 0 : ((i + 0.5) * width) / n;
}

/** Bucket under a horizontal position. */
export function slotAt(x: number, n: number, width: number): number {
  if (n <= 0 || width <= 0) return 0;
  return Math.min(n - 1, Math.max(0, Math.floor((x / width) * n)));
}

/** Which labels fit: every k-th, counted from the last, so that the newest is always named. */
export function labelled(n: number, width: number, labelWidth: number): Set<number> {
  const room = Math.max(1, Math.floor(width / labelWidth));
  const every = Math.max(1, Math.ceil(n / room));
  const out = new Set<number>();
  for (let i = n - 1; i >= 0; i -= every) out.add(i);
  return out;
}

/**
 * A line as two paths: drawn through where the data is complete, dashed where a bucket may still grow.
 * A missing value breaks the line; a lone point becomes a dot (zero-length segment).
 */
export function linePaths(points: (Point | null)[], unsure: boolean[]): { sure: string; unsure: string } {
  let sure = '';
  let open = '';
  for (let i = 0; i < points.length; i++) {
    const p = points[i];
    if (!p) continue;
    const before = points[i - 1];
    if (before) {
      const segment = `M${at(before)}L${at(p)}`;
      if (unsure[i] || unsure[i - 1]) open += segment;
      else sure += sure.endsWith(at(before)) ? `L${at(p)}` : segment;
    } else if (!points[i + 1]) {
      const dot = `M${at(p)}L${at(p)}`;
      if (unsure[i]) open += dot;
      else sure += dot;
    }
  }
  return { sure, unsure: open };
}

function at(p: Point): string {
  return `${round(p.x)},${round(p.y)}`;
}

function round(n: number): number {
  return Math.round(n * 100) / 100;
}

/** Stretches of true as [from, to), so that neighbours share one band. */
export function runs(flags: boolean[]): [number, number][] {
  const out: [number, number][] = [];
  for (const [i, flag] of flags.entries()) {
    if (!flag) continue;
    const last = out.at(-1);
    if (last && last[1] === i) last[1] = i + 1;
    else out.push([i, i + 1]);
  }
  return out;
}
