import { Link } from '@tanstack/react-router';
import { useId, useState } from 'react';
import type { EventItem } from '../../api/types';
import { clock, instant } from '../../ui/format/time';
import { Icon } from '../../ui/icons';
import { EventDetails } from './EventDetails';
import classes from './events.module.css';
import { glance, who } from './merged';

interface Props {
  project: string;
  zone: string;
  event: EventItem;
  /** Came in while this page was open. */
  fresh?: boolean;
  /** Without the person, on the person's own page. */
  own?: boolean;
}

/** One event on one line; opens to everything that is known of it. */
export function EventRow({ project, zone, event, fresh = false, own = false }: Props) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <li className={classes.row} data-fresh={fresh || undefined}>
      <div className={classes.line}>
        <button
          type="button"
          className={classes.toggle}
          aria-expanded={open}
          aria-controls={open ? id : undefined}
          onClick={() => setOpen((o) => !o)}
        >
          <span className={classes.chevron} data-open={open || undefined}>
            <Icon name="chevron" size={13} />
          </span>
          <time className={classes.time} dateTime={event.time} title={`${instant(event.time, zone)} ${zone}`}>
            {clock(event.time, zone)}
          </time>
          <span className={classes.name}>{event.event}</span>
          <span className={classes.glance}>{glance(event)}</span>
        </button>
        {!own &&
          (event.person ? (
            <Link
              to="/p/$project/persons/$person"
              params={{ project, person: event.person }}
              className={classes.who}
            >
              {who(event)}
            </Link>
          ) : (
            <span className={classes.nobody} title="No usable id: counted in totals, in nothing per person">
              nobody
            </span>
          ))}
      </div>
      {open && (
        <div id={id} className={classes.details}>
          <EventDetails event={event} zone={zone} />
        </div>
      )}
    </li>
  );
}
