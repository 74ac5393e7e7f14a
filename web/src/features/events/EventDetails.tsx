import type { EventItem, Json } from '../../api/types';
import { instant } from '../../ui/format/time';
import classes from './events.module.css';

interface Props {
  event: EventItem;
  zone: string;
}

export function EventDetails({ event, zone }: Props) {
  const ids: [string, Json | undefined][] = [
    ['time', instant(event.time, zone)],
    ['received', event.received_at ? instant(event.received_at, zone) : undefined],
    ['user id', event.user_id],
    ['device id', event.device_id],
    ['session', event.session_id],
    ['insert id', event.insert_id],
    ['position', String(event.seq)],
    ['notes', event.annotations?.length ? event.annotations.join(', ') : undefined],
  ];
  const groups = Object.entries(event.groups ?? {});
  return (
    <div className={classes.columns}>
      <PropertyList title="Properties" entries={Object.entries(event.properties ?? {})} />
      {groups.length > 0 && <PropertyList title="Groups" entries={groups} />}
      <PropertyList title="Record" entries={ids.filter(([, v]) => v !== undefined && v !== null)} />
    </div>
  );
}

interface ListProps {
  title?: string;
  entries: [string, Json | undefined][];
}

/** Names and values; the type of a value shows in how it is written. */
export function PropertyList({ title, entries }: ListProps) {
  return (
    <div>
      {title && <h4 className={classes.listTitle}>{title}</h4>}
      {entries.length === 0 && <p className={classes.none}>none</p>}
      <dl className={classes.list}>
        {entries.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd data-type={typeof value}>{valueText(value)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function valueText(v: Json | undefined): string {
  if (v === null || v === undefined) return '–';
  return typeof v === 'object' ? JSON.stringify(v) : String(v);
}
