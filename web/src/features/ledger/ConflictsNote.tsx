import type { Conflicts } from '../../api/types';
import { DataTable } from '../../ui/DataTable';
import { count, number } from '../../ui/format/number';
import { instant } from '../../ui/format/time';
import classes from './ledger.module.css';

interface Props {
  conflicts: Conflicts;
  zone: string;
}

/** Duplicates that say something else than the event they repeat: the sender uses one insert id for two events. */
export function ConflictsNote({ conflicts, zone }: Props) {
  if (conflicts.total === 0) return null;
  return (
    <div className={classes.held}>
      <p>
        <b>Among the duplicates:</b> {count(conflicts.total, 'event')} carried the insert id of another event
        with other content. The first one counts. If they were meant as events of their own, their sender must
        give them ids of their own.
      </p>
      <details className={classes.where}>
        <summary>By hour</summary>
        <DataTable
          caption="Insert ids used for two events"
          rows={conflicts.hours}
          rowKey={(r) => r.hour}
          columns={[
            { key: 'hour', head: 'Hour', heading: true, cell: (r) => instant(r.hour, zone) },
            { key: 'count', head: 'Events', numeric: true, cell: (r) => number(r.count) },
          ]}
        />
      </details>
    </div>
  );
}
