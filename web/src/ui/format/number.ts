/** Numbers for people: one place, so that the same number always looks the same. */

const locale = 'en-GB';
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const compactFormat = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });

/** What stands for "no value". */
export const DASH = '–';

/** 12345 -> "12,345"; 1.256 -> "1.26"; null -> "–". */
export function number(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return DASH;
  return Number.isInteger(n) || Math.abs(n) >= 1000 ? whole.format(n) : fine.format(n);
}

/** 12345 -> "12.3k", for axes and narrow places. */
export function compact(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return DASH;
  return Math.abs(n) < 10_000 ? number(n) : compactFormat.format(n).replace('K', 'k');
}

/** A fraction as a percentage: 0.3638 -> "36.4 %". Never shows 100 % or 0 % for what is only close to it. */
export function percent(fraction: number | null | undefined, digits = 1): string {
  if (fraction === null || fraction === undefined || !Number.isFinite(fraction)) return DASH;
  const value = fraction * 100;
  const text = value.toFixed(digits);
  const edge = 10 ** -digits;
  if (value < 100 && Number(text) === 100) return `> ${(100 - edge).toFixed(digits)} %`;
  if (value > 0 && Number(text) === 0) return `< ${edge.toFixed(digits)} %`;
  return `${Number(text) === 100 || Number(text) === 0 ? Number(text) : text} %`;
}

/** a/b, null when b is 0 or either side is missing. */
export function ratio(a: number | null | undefined, b: number | null | undefined): number | null {
  if (a === null || a === undefined || b === null || b === undefined || b === 0) return null;
  return a / b;
}

/** "1 person", "2 people". */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${number(n)} ${n === 1 ? one : many}`;
}
