import type { ReactNode } from 'react';
import classes from './Figure.module.css';

interface Props {
  label: string;
  value: ReactNode;
  /** Compared with what, in small print. */
  note?: ReactNode;
  aside?: ReactNode;
}

/** One number with its name. */
export function Figure({ label, value, note, aside }: Props) {
  return (
    <div className={classes.figure}>
      <div className={classes.label}>{label}</div>
      <div className={classes.row}>
        <div className={classes.value}>{value}</div>
        {aside}
      </div>
      {note && <div className={classes.note}>{note}</div>}
    </div>
  );
}
