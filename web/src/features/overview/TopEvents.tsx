import { Link } from '@tanstack/react-router';
import { useChart, useSchema } from '../../api/hooks';
import type { SegmentationResult } from '../../api/types';
import { Sparkline } from '../../ui/charts/Sparkline';
import { DataTable } from '../../ui/DataTable';
import { number } from '../../ui/format/number';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import { seriesIndex } from '../charts/shape/trend';
import classes from './overview.module.css';
import { topEvents, topQuery } from './queries';

export function TopEvents({ project }: { project: string }) {
  const schema = useSchema(project);
  const names = topEvents(schema.data?.events);
  const counts = useChart<SegmentationResult>(project, topQuery(names), {
    enabled: names.length > 0,
    everyMs: 30_000,
  });
  const rows = (counts.data?.series ?? [])
    .map((s, i) => ({ ...s, name: names[seriesIndex(s.key, i)] ?? String(s.key) }))
    .sort((a, b) => (b.total ?? 0) - (a.total ?? 0));
  const most = Math.max(1, ...rows.map((r) => r.total ?? 0));
  return (
    <Panel title="Top events, last 7 days" flush>
      {schema.isPending && <Loading what="Reading the schema" />}
      {schema.isError && <Failed error={schema.error} retry={() => void schema.refetch()} />}
      {schema.isSuccess && names.length === 0 && <Empty title="No event yet" />}
      {counts.isError && !counts.data && <Failed error={counts.error} retry={() => void counts.refetch()} />}
      {rows.length > 0 && (
        <DataTable
          caption="Top events of the last 7 days"
          rows={rows}
          rowKey={(r) => r.name}
          columns={[
            {
              key: 'event',
              head: 'Event',
              heading: true,
              cell: (r) => (
                <Link
                  to="/p/$project/charts/$kind"
                  params={{ project, kind: 'segmentation' }}
                  search={{ series: [{ event: r.name, measure: 'totals' }], range: '30d' }}
                  className={classes.eventLink}
                >
                  {r.name}
                </Link>
              ),
            },
            {
              key: 'share',
              head: <span className={classes.hidden}>Share</span>,
              cell: (r) => (
                <span className={classes.meter} aria-hidden="true">
                  <i style={{ width: `${((r.total ?? 0) / most) * 100}%` }} />
                </span>
              ),
            },
            {
              key: 'trend',
              head: 'By day',
              cell: (r) => <Sparkline values={r.values} incomplete={counts.data?.incomplete} height={22} />,
            },
            { key: 'count', head: 'Events', numeric: true, cell: (r) => number(r.total) },
          ]}
        />
      )}
    </Panel>
  );
}
