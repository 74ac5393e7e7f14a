/** Spans of the past to try rules on and to apply them to. */
export const PERIODS = ['hour', '24 hours', '7 days', '30 days', 'everything'];

const hours: Record<string, number> = { hour: 1, '24 hours': 24, '7 days': 7 * 24, '30 days': 30 * 24 };

/** When the span begins; null means at the very beginning. */
export function since(period: string): string | null {
  const n = hours[period];
  return n === undefined ? null : new Date(Date.now() - n * 3_600_000).toISOString();
}
