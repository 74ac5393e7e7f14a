import { Link } from '@tanstack/react-router';
import type { StatusIncident } from '../../api/watch';
import { count, number } from '../../ui/format/number';
import { instant } from '../../ui/format/time';
import { Panel } from '../../ui/Panel';
import classes from './Status.module.css';
import { duration } from './span';
import { INCIDENT } from './words';

interface Props {
  title: string;
  incidents: StatusIncident[];
  zone: string;
  empty?: string;
}

/** Incidents, newest first, each with what was said about it. */
export function Incidents({ title, incidents, zone, empty }: Props) {
  return (
    <Panel title={title} flush>
      {incidents.length === 0 && <p className={classes.quiet}>{empty}</p>}
      <ol className={classes.incidents}>
        {incidents.map((i) => (
          <li key={i.id} className={classes.incident} data-impact={i.impact}>
            <IncidentBody incident={i} zone={zone} linked />
          </li>
        ))}
      </ol>
    </Panel>
  );
}

/** One incident with its timeline. */
export function IncidentBody({
  incident: i,
  zone,
  linked = false,
}: {
  incident: StatusIncident;
  zone: string;
  linked?: boolean;
}) {
  const end = i.resolved_at;
  return (
    <article>
      <header className={classes.incidentHead}>
        <h3 className={classes.incidentTitle}>
          {linked ? (
            <Link to="/status/incidents/$incident" params={{ incident: i.id }}>
              {i.title}
            </Link>
          ) : (
            i.title
          )}
        </h3>
        <span className={classes.tag} data-state={i.state}>
          {INCIDENT[i.state]}
        </span>
      </header>
      <p className={classes.meta}>
        {instant(i.opened_at, zone)}
        {end ? ` – ${instant(end, zone)}, ${duration(end - i.opened_at)}` : ' – still open'}
        {i.received &&
          `. Concerns what was received ${instant(i.received[0], zone)} – ${instant(i.received[1], zone)}`}
        {i.events !== null &&
          i.events !== undefined &&
          ` (${number(i.events)} ${count(i.events, 'event').replace(/^\S+ /, '')})`}
      </p>
      <ol className={classes.updates}>
        {i.updates.map((u) => (
          <li key={u.id}>
            <time dateTime={new Date(u.at).toISOString()}>{instant(u.at, zone)}</time>
            <p>{u.text}</p>
          </li>
        ))}
      </ol>
    </article>
  );
}
