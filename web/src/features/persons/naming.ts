/** What to call a person, and days of a timeline. Pure. */
import type { EventItem, PersonItem } from '../../api/types';
import { localDate } from '../../ui/format/time';

/** A name or e-mail from the properties, else a user id, else the anonymous device. */
export function personName(p: Pick<PersonItem, 'properties' | 'user_ids' | 'device_ids' | 'person'>): string {
  for (const key of ['name', '$name', 'email', '$email']) {
    const v = p.properties?.[key];
    if (typeof v === 'string' && v.trim() !== '') return v;
  }
  if (p.user_ids[0]) return p.user_ids[0];
  return `Anonymous ${short(p.device_ids[0] ?? p.person)}`;
}

/** Long ids, shortened in the middle. */
export function short(id: string, most = 16): string {
  return id.length <= most ? id : `${id.slice(0, most - 5)}…${id.slice(-4)}`;
}

export interface Day {
  date: string;
  events: EventItem[];
}

/** Consecutive events of one local day together, in the order given. */
export function byDay(events: EventItem[], zone: string): Day[] {
  const days: Day[] = [];
  for (const event of events) {
    const date = localDate(event.time, zone);
    const last = days.at(-1);
    if (last?.date === date) last.events.push(event);
    else days.push({ date, events: [event] });
  }
  return days;
}
