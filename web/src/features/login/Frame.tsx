import type { ReactNode } from 'react';
import { useEffect } from 'react';
import { TallyMark, Wordmark } from '../../ui/Logo';
import classes from './Frame.module.css';

interface Props {
  title: string;
  lead?: ReactNode;
  wide?: boolean;
  children: ReactNode;
}

/** The cover of the book: views outside a project. */
export function Frame({ title, lead, wide = false, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Tallymark`;
  }, [title]);
  return (
    <div className={classes.frame}>
      <aside className={classes.cover} aria-hidden="true">
        <div className={classes.count}>
          {Array.from({ length: 23 }, (_, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: marks on paper have no other name
            <TallyMark key={i} size={52} weight={2.2} strokes={i === 22 ? 3 : 5} />
          ))}
        </div>
        <p className={classes.motto}>Every event, accounted for.</p>
      </aside>
      <main className={classes.main} id="content">
        <div className={wide ? classes.wide : classes.column}>
          <Wordmark size={26} />
          <h1 className={classes.title}>{title}</h1>
          {lead && <p className={classes.lead}>{lead}</p>}
          {children}
        </div>
      </main>
    </div>
  );
}
