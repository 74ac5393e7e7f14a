import { useId, useState } from 'react';
import type { DeadLetter } from '../../api/types';
import { instant } from '../../ui/format/time';
import { Icon } from '../../ui/icons';
import rows from '../events/events.module.css';
import classes from './ledger.module.css';
import { Mend } from './Mend';

/** A letter that was sent on its way again. */
export interface Sent {
  position: string;
  event: string;
}

interface Props {
  project: string;
  letter: DeadLetter;
  zone: string;
  unowned: boolean;
  onSent: (sent: Sent) => void;
}

/** One dead letter: a line with its reason, which opens to its bytes. */
export function Letter({ project, letter, zone, unowned, onSent }: Props) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <li className={rows.row}>
      <div className={rows.line}>
        <button
          type="button"
          className={rows.toggle}
          aria-expanded={open}
          aria-controls={open ? id : undefined}
          onClick={() => setOpen((o) => !o)}
        >
          <span className={rows.chevron} data-open={open || undefined}>
            <Icon name="chevron" size={13} />
          </span>
          <span className={classes.reason}>{letter.reason.code}</span>
          <span className={rows.glance}>{letter.reason.message}</span>
        </button>
        <time className={rows.time} dateTime={letter.received_at}>
          {instant(letter.received_at, zone)}
        </time>
      </div>
      {open && (
        <div id={id} className={rows.details}>
          <p className={classes.message}>{letter.reason.message}</p>
          <p className={classes.whence}>
            Position {letter.position}, sent as {letter.wire}
          </p>
          <Mend project={project} letter={letter} unowned={unowned} onSent={onSent} />
        </div>
      )}
    </li>
  );
}
