import type { Ledger } from '../../api/types';
import { Ago } from '../../ui/Ago';
import { Figure } from '../../ui/Figure';
import { number } from '../../ui/format/number';
import { instant } from '../../ui/format/time';
import classes from './ledger.module.css';
import { skippedRecords } from './verdict';

/** Up to when charts are whole. */
export function Freshness({ ledger, zone }: { ledger: Ledger; zone: string }) {
  const skipped = skippedRecords(ledger);
  return (
    <section className={classes.figures} aria-label="Freshness">
      <Figure
        label="Complete through"
        value={<Ago at={ledger.complete_through} zone={zone} />}
        note={
          ledger.complete_through
            ? `${instant(ledger.complete_through, zone)}: everything received before is counted${skipped > 0 ? ', except what was skipped' : ''}`
            : 'no event has been counted yet'
        }
      />
      <Figure
        label="Waiting to be counted"
        value={number(ledger.lanes.reduce((n, l) => n + l.pending, 0))}
        note="records after the cursors, all projects"
      />
      {skipped > 0 && (
        <Figure label="Skipped" value={number(skipped)} note="records, until they are replayed" />
      )}
      <Figure
        label="Gaps"
        value={number(ledger.gaps.length)}
        note={ledger.gaps.length ? 'see below' : 'nothing in the log is unreadable'}
      />
    </section>
  );
}
