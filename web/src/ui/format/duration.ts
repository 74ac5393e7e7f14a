/** Durations for people. */
import type { Duration } from '../../api/types';
import { count, DASH } from './number';

const steps: [string, number][] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

/** Seconds in the two largest units: 93784 -> "1 d 2 h"; 0.25 -> "250 ms"; null -> "–". */
export function seconds(s: number | null | undefined): string {
  if (s === null || s === undefined || !Number.isFinite(s)) return DASH;
  if (s < 0) return `-${seconds(-s)}`;
  if (s > 0 && s < 1) return `${Math.max(1, Math.round(s * 1000))} ms`;
  if (s < 10) return `${trim(s.toFixed(1))} s`;
  let rest = Math.round(s);
  const parts: string[] = [];
  for (const [name, size] of steps) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) parts.push(`${n} ${name}`);
    // The second unit ends it, and a large first unit needs no second.
    if (parts.length === 2 || (parts.length === 1 && n >= 100)) break;
    if (parts.length === 1 && n === 0) break;
  }
  return parts.join(' ');
}

/** {n: 7, unit: "day"} -> "7 days". */
export function duration(d: Duration): string {
  return count(d.n, d.unit);
}

function trim(text: string): string {
  return text.replace(/\.0$/, '');
}
