import type { LaneRow } from '../../api/types';
import { Ago } from '../../ui/Ago';
import { DataTable } from '../../ui/DataTable';
import { number, percent } from '../../ui/format/number';
import { Panel } from '../../ui/Panel';
import { Empty } from '../../ui/states';
import { progress } from './hours';
import classes from './ledger.module.css';

/** How far each partition of the log has been accounted for. */
export function Lanes({ lanes, zone }: { lanes: LaneRow[]; zone: string }) {
  return (
    <Panel
      title="Lanes and partitions"
      note="The log is read in parallel. The cursor is how far the books go; the end is the newest record on disk."
      flush
    >
      {lanes.length === 0 ? (
        <Empty title="The log has not been opened yet" />
      ) : (
        <DataTable
          caption="Lanes and partitions"
          rows={lanes}
          rowKey={(l) => `${l.lane}/${l.partition}`}
          columns={[
            { key: 'lane', head: 'Lane', heading: true, cell: (l) => `${l.lane}\u00a0${l.partition}` },
            { key: 'bar', head: 'Accounted', cell: (l) => <LaneBar lane={l} /> },
            { key: 'start', head: 'Start', numeric: true, cell: (l) => number(l.start) },
            { key: 'cursor', head: 'Cursor', numeric: true, cell: (l) => number(l.cursor) },
            { key: 'end', head: 'End', numeric: true, cell: (l) => number(l.end) },
            { key: 'pending', head: 'Pending', numeric: true, cell: (l) => number(l.pending) },
            { key: 'mark', head: 'Watermark', cell: (l) => <Ago at={l.watermark} zone={zone} /> },
          ]}
        />
      )}
    </Panel>
  );
}

function LaneBar({ lane }: { lane: LaneRow }) {
  const done = progress(lane);
  const text = lane.end === lane.start ? 'empty' : percent(done);
  return (
    <span className={classes.lane} title={`${number(lane.cursor)} of ${number(lane.end)}`}>
      <span className={classes.laneBar} data-empty={lane.end === lane.start || undefined} aria-hidden="true">
        {lane.end > lane.start && (
          <i style={{ width: `${done * 100}%` }} data-done={done === 1 || undefined} />
        )}
      </span>
      <span className={classes.laneText}>{text}</span>
    </span>
  );
}
