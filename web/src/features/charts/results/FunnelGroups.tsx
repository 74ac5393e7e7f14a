import { DataTable } from '../../../ui/DataTable';
import { seconds } from '../../../ui/format/duration';
import { number, percent } from '../../../ui/format/number';
import type { FunnelShape } from '../shape/funnel';
import classes from './results.module.css';

/** The groups of a breakdown, a row each. */
export function FunnelGroups({ shapes }: { shapes: FunnelShape[] }) {
  const steps = shapes[0]?.steps ?? [];
  return (
    <div className={classes.groups}>
      <DataTable
        caption="Groups"
        rows={shapes}
        rowKey={(s) => s.id}
        columns={[
          {
            key: 'group',
            head: 'Group',
            heading: true,
            cell: (s) => (
              <span className={classes.swatch}>
                <i style={{ background: s.color }} />
                {s.name}
              </span>
            ),
          },
          ...steps.map((step, k) => ({
            key: `${k}`,
            head: step.name,
            numeric: true,
            cell: (s: FunnelShape) => (
              <>
                {number(s.steps[k]?.count)}
                {k > 0 && <small className={classes.sub}>{percent(s.steps[k]?.fromPrevious)}</small>}
              </>
            ),
          })),
          { key: 'total', head: 'Converted', numeric: true, cell: (s) => <b>{percent(s.total)}</b> },
          { key: 'time', head: 'Median time', numeric: true, cell: (s) => seconds(s.medianTotalS) },
        ]}
      />
    </div>
  );
}
