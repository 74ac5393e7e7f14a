import { type ReactNode, useEffect } from 'react';
import classes from './Page.module.css';

interface Props {
  title: string;
  /** One sentence under the title. */
  lead?: ReactNode;
  actions?: ReactNode;
  /** Above the title: where this page hangs. */
  trail?: ReactNode;
  children: ReactNode;
}

/** A view's frame: title, lead, actions; sets the document title too. */
export function Page({ title, lead, actions, trail, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Tallymark`;
  }, [title]);
  return (
    <div className={classes.page}>
      {trail && <div className={classes.trail}>{trail}</div>}
      <header className={classes.head}>
        <div>
          <h1 className={classes.title}>{title}</h1>
          {lead && <p className={classes.lead}>{lead}</p>}
        </div>
        {actions && <div className={classes.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}
