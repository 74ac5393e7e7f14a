import type { HeldBack } from '../../api/books';
import { DataTable } from '../../ui/DataTable';
import { count, number } from '../../ui/format/number';
import { instant } from '../../ui/format/time';
import classes from './ledger.module.css';

interface Props {
  held: HeldBack;
  zone: string;
}

/** What was never acknowledged stands beside the identity, not in it: the sender knows, and may send it again. */
export function HeldBackNote({ held, zone }: Props) {
  const all = held.refused + held.throttled;
  return (
    <div className={classes.held}>
      <p>
        <b>Beside the books:</b>{' '}
        {all === 0
          ? 'no event was turned away. Every sender got a yes.'
          : `${turnedAway(held)} The sender was told each time, so nothing was promised and nothing is missing above.`}
      </p>
      {held.rows.length > 0 && (
        <details className={classes.where}>
          <summary>By hour and reason</summary>
          <DataTable
            caption="Events that were turned away"
            rows={held.rows}
            rowKey={(r) => `${r.hour}${r.kind}${r.reason}`}
            columns={[
              { key: 'hour', head: 'Hour', heading: true, cell: (r) => instant(r.hour, zone) },
              { key: 'kind', head: 'What', cell: (r) => r.kind },
              { key: 'reason', head: 'Reason', cell: (r) => r.reason },
              { key: 'count', head: 'Events', numeric: true, cell: (r) => number(r.count) },
            ]}
          />
        </details>
      )}
    </div>
  );
}

function turnedAway({ refused, throttled }: HeldBack): string {
  const parts = [
    refused > 0 && `${count(refused, 'event')} refused, because something was wrong with them`,
    throttled > 0 && `${count(throttled, 'event')} throttled, because too many came at once`,
  ].filter(Boolean);
  return `${parts.join(', and ')}, before anything was written.`;
}
