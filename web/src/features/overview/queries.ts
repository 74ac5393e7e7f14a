/** The questions of the overview. Pure. */
import type { Query, SchemaEvent } from '../../api/types';

export const TREND_DAYS = 30;

/** Active people and events by day; the last bucket is today. */
export const dailyQuery: Query = {
  type: 'segmentation',
  series: [
    { event: '*', measure: 'uniques' },
    { event: '*', measure: 'totals' },
  ],
  range: { last: TREND_DAYS, unit: 'day' },
  interval: 'day',
};

/** The last seven days as a whole: people are not the sum of the days. */
export const weekQuery: Query = {
  type: 'segmentation',
  series: dailyQuery.series,
  range: { last: 7, unit: 'day' },
  interval: 'day',
};

const TOP = 8;

/** The most frequent event names. */
export function topEvents(events: SchemaEvent[] | undefined): string[] {
  return (events ?? [])
    .filter((e) => !e.operation)
    .sort((a, b) => b.count - a.count)
    .slice(0, TOP)
    .map((e) => e.name);
}

export function topQuery(names: string[]): Query {
  return {
    type: 'segmentation',
    series: names.map((event) => ({ event, measure: 'totals' })),
    range: { last: 7, unit: 'day' },
    interval: 'day',
  };
}

/** Today against yesterday at a glance; null where there is nothing to compare. */
export function change(values: (number | null)[] | undefined): { today: number; yesterday: number } | null {
  const today = values?.at(-1);
  const yesterday = values?.at(-2);
  if (today === undefined || today === null || yesterday === undefined || yesterday === null) return null;
  return { today, yesterday };
}
