/** Instants, local dates and bucket labels for people. */

const locale = 'en-GB';
const cache = new Map<string, Intl.DateTimeFormat>();

function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify(options);
  let found = cache.get(key);
  if (!found) {
    found = build(options);
    cache.set(key, found);
  }
  return found;
}

function build(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(locale, options);
  } catch {
    // A zone that this browser does not know: UTC is wrong by hours but never by meaning, and is labelled.
    return new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' });
  }
}

/** "21 Nov 2026, 14:03:05" in the zone. */
export function instant(at: string | number | null | undefined, zone: string): string {
  const date = toDate(at);
  if (!date) return '–';
  return format({ dateStyle: 'medium', timeStyle: 'medium', timeZone: zone }).format(date);
}

/** "14:03:05" in the zone. */
export function clock(at: string | number | null | undefined, zone: string): string {
  const date = toDate(at);
  return date ? format({ timeStyle: 'medium', timeZone: zone }).format(date) : '–';
}

/** "14:03" in the zone. */
export function hourMinute(at: string | number | null | undefined, zone: string): string {
  const date = toDate(at);
  return date ? format({ timeStyle: 'short', timeZone: zone }).format(date) : '–';
}

/** The local date of an instant as "2026-11-21". */
export function localDate(at: string | number | Date, zone: string): string {
  const date = toDate(at);
  if (!date) return '';
  const parts = format({ year: 'numeric', month: '2-digit', day: '2-digit', timeZone: zone }).formatToParts(
    date,
  );
  const get = (type: string) => parts.find((p) => p.type === type)?.value ?? '';
  return `${get('year')}-${get('month')}-${get('day')}`;
}

/** A local date "2026-11-21" -> "Saturday 21 November 2026", with today and yesterday named. */
export function dayName(date: string, today: string): string {
  const at = new Date(`${date}T00:00:00Z`);
  if (Number.isNaN(at.getTime())) return date;
  const text = format({
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  }).format(at);
  if (date === today) return `Today, ${text}`;
  if (date === shiftDate(today, -1)) return `Yesterday, ${text}`;
  return text;
}

/** A local date moved by whole days. */
export function shiftDate(date: string, days: number): string {
  const at = new Date(`${date}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}

/** Label of a bucket: dates as "21 Nov", hours as "21 Nov 14:00"; with `long`, the year too. */
export function bucket(label: string, interval: string, long = false): string {
  // Other labels (offsets, names) stay as they are; browsers read dates into the oddest texts.
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}.*)?$/.test(label)) return label;
  const hourly = label.includes('T');
  const at = new Date(hourly ? `${label.slice(0, 16)}:00Z` : `${label}T00:00:00Z`);
  if (Number.isNaN(at.getTime())) return label;
  const year: 'numeric' | undefined = long ? 'numeric' : undefined;
  if (hourly) {
    const text = format({
      day: 'numeric',
      month: 'short',
      year,
      hour: '2-digit',
      minute: '2-digit',
      timeZone: 'UTC',
    }).format(at);
    return long ? `${text} ${label.slice(16)}`.trim() : text;
  }
  if (interval === 'year') return label.slice(0, 4);
  if (interval === 'month') return format({ month: 'short', year: 'numeric', timeZone: 'UTC' }).format(at);
  if (interval === 'quarter') return `Q${Math.floor(at.getUTCMonth() / 3) + 1} ${at.getUTCFullYear()}`;
  const text = format({
    weekday: long && interval === 'day' ? 'short' : undefined,
    day: 'numeric',
    month: 'short',
    year,
    timeZone: 'UTC',
  }).format(at);
  return interval === 'week' && long ? `Week of ${text}` : text;
}

/** "just now", "12 s ago", "3 min ago", "5 h ago", "2 days ago". */
export function ago(at: string | number | null | undefined, now: number): string {
  const date = toDate(at);
  if (!date) return '–';
  const s = Math.round((now - date.getTime()) / 1000);
  if (s < -5) return 'in the future';
  if (s < 3) return 'just now';
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  const days = Math.floor(s / 86_400);
  return days === 1 ? 'yesterday' : `${days} days ago`;
}

function toDate(at: string | number | Date | null | undefined): Date | null {
  if (at === null || at === undefined || at === '') return null;
  const date = at instanceof Date ? at : new Date(at);
  return Number.isNaN(date.getTime()) ? null : date;
}
