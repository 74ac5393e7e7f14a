import { eventKey } from '../../api/live';
import type { EventItem } from '../../api/types';

/** Live events on top of stored ones, each event once. */
export function merged(live: EventItem[], stored: EventItem[]): EventItem[] {
  const seen = new Set<string>();
  return [...live, ...stored].filter((e) => {
    const key = eventKey(e);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** Properties that nearly every event carries; what is particular to an event comes before them. */
const CONTEXT = /^(app_?version|platform|os|browser|device|locale|language|version|lib|url|host)/i;

/** The few properties that fit on a line, as "plan: free · country: DE". */
export function glance(e: EventItem, most = 3): string {
  return Object.entries(e.properties ?? {})
    .filter(([name, v]) => !name.startsWith('$') && v !== null && typeof v !== 'object')
    .sort(([a], [b]) => Number(CONTEXT.test(a)) - Number(CONTEXT.test(b)))
    .slice(0, most)
    .map(([name, v]) => `${name}: ${String(v)}`)
    .join(' · ');
}

/** Who it was, as well as the event itself knows. */
export function who(e: Pick<EventItem, 'user_id' | 'device_id'>): string {
  return e.user_id ?? e.device_id ?? 'nobody';
}
