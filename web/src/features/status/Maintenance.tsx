import type { StatusMaintenance } from '../../api/watch';
import { instant } from '../../ui/format/time';
import { Panel } from '../../ui/Panel';
import classes from './Status.module.css';

/** Announced windows: those of now and those to come. Nothing is shown when there are none. */
export function Maintenance({
  windows,
  now,
  zone,
}: {
  windows: StatusMaintenance[];
  now: number;
  zone: string;
}) {
  const shown = windows.filter((w) => w.ends_at > now);
  if (shown.length === 0) return null;
  return (
    <Panel title="Planned work" flush>
      <ol className={classes.incidents}>
        {shown.map((w) => (
          <li key={w.id} className={classes.incident} data-impact="maintenance">
            <h3 className={classes.incidentTitle}>{w.title}</h3>
            <p className={classes.meta}>
              {instant(w.starts_at, zone)} – {instant(w.ends_at, zone)}
              {w.starts_at <= now && ', in progress'}
            </p>
            {w.text && <p>{w.text}</p>}
          </li>
        ))}
      </ol>
    </Panel>
  );
}
