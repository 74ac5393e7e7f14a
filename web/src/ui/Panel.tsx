import { type ReactNode, useId } from 'react';
import classes from './Panel.module.css';

interface Props {
  title?: string;
  note?: ReactNode;
  actions?: ReactNode;
  /** Lets tables and lists reach the panel's edge. */
  flush?: boolean;
  /** An older answer is shown while a newer one is on its way. */
  busy?: boolean;
  className?: string;
  children: ReactNode;
}

/** A sheet of the book: one subject, ruled off from the rest. */
export function Panel({ title, note, actions, flush = false, busy = false, className, children }: Props) {
  const id = useId();
  return (
    <section
      className={`${classes.panel} ${className ?? ''}`}
      aria-labelledby={title ? id : undefined}
      aria-busy={busy || undefined}
    >
      {busy && <div className={classes.busy} />}
      {(title || actions) && (
        <header className={classes.head}>
          <div>
            {title && (
              <h2 className={classes.title} id={id}>
                {title}
              </h2>
            )}
            {note && <p className={classes.note}>{note}</p>}
          </div>
          {actions && <div className={classes.actions}>{actions}</div>}
        </header>
      )}
      <div className={flush ? undefined : classes.body}>{children}</div>
    </section>
  );
}
