/** The four states that every view has besides its content: loading, empty, failed, partial. */
import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { ApiError } from '../api/errors';
import { Icon } from './icons';
import { TallyMark } from './Logo';
import classes from './states.module.css';

export function Loading({ what = 'Loading', tall = false }: { what?: string; tall?: boolean }) {
  return (
    <div className={tall ? classes.boxTall : classes.box} role="status">
      <TallyMark size={36} animated />
      <span className={classes.quiet}>{what}…</span>
    </div>
  );
}

interface EmptyProps {
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

export function Empty({ title, children, action }: EmptyProps) {
  return (
    <div className={classes.box}>
      <EmptyMark />
      <p className={classes.title}>{title}</p>
      {children && <div className={classes.text}>{children}</div>}
      {action}
    </div>
  );
}

/** A tally that has not begun: four dotted strokes. */
function EmptyMark() {
  return (
    <svg width="40" height="40" viewBox="0 0 32 32" className={classes.mark} aria-hidden="true">
      <path d="M7 6v20M13 6v20M19 6v20M25 6v20" />
    </svg>
  );
}

interface FailedProps {
  error: unknown;
  retry?: () => void;
  what?: string;
}

/** What is wrong, what to do about it, and a way to try again. */
export function Failed({ error, retry, what }: FailedProps) {
  const e = error instanceof ApiError ? error : null;
  return (
    <div className={classes.box} role="alert">
      <span className={classes.alarm}>
        <Icon name="warning" size={28} />
      </span>
      <p className={classes.title}>{what ?? 'This could not be loaded'}</p>
      <div className={classes.text}>
        <p>{error instanceof Error ? error.message : 'An unknown error occurred.'}</p>
        {e?.hint && <p>{e.hint}</p>}
        {e && <p className={classes.code}>{e.docs ? <a href={e.docs}>{e.code}</a> : e.code}</p>}
      </div>
      {retry && (
        <Button variant="default" onClick={retry} leftSection={<Icon name="refresh" size={16} />}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** Says that what is shown is not the whole truth yet, and why. */
export function Partial({ children }: { children: ReactNode }) {
  return (
    <p className={classes.partial} role="note">
      <Icon name="clock" size={15} />
      <span>{children}</span>
    </p>
  );
}
