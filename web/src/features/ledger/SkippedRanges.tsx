import { Button } from '@mantine/core';
import { type Skipped, useStartJob } from '../../api/books';
import { DataTable } from '../../ui/DataTable';
import { count, number } from '../../ui/format/number';
import { instant } from '../../ui/format/time';
import { Panel } from '../../ui/Panel';
import { FormError } from '../login/FormError';
import { JobFollower } from './JobFollower';
import classes from './ledger.module.css';

interface Props {
  project: string;
  skipped: Skipped[];
  zone: string;
}

/** What was passed by on purpose, who did it and why, and the button that catches up. */
export function SkippedRanges({ project, skipped, zone }: Props) {
  const start = useStartJob(project);
  const replay = (which: Skipped[]) =>
    start.mutate({
      kind: 'replay',
      reason: 'from the ledger page',
      dry_run: false,
      spec: {
        ranges: which.map(({ lane, partition, from, to }) => ({ lane, partition, from, to })),
      } as never,
    });
  if (skipped.length === 0 && !start.data) return null;
  const records = skipped.reduce((n, s) => n + s.to - s.from, 0);
  return (
    <Panel
      title="Skipped on purpose"
      note={`${count(records, 'record')} of this server were passed by, so that what came after them could be counted in time. They are still in the log. A replay counts them now, each exactly once, while new events go on arriving.`}
      actions={
        skipped.length > 1 && (
          <Button size="xs" loading={start.isPending} onClick={() => replay(skipped)}>
            Replay all
          </Button>
        )
      }
      flush
    >
      {(start.data || start.isError) && (
        <div className={classes.inset}>
          <FormError error={start.error} />
          {start.data && (
            <JobFollower key={start.data.id} job={start.data.id} doing="Replaying">
              {(job) => <p>Replayed: {count(figure(job.report, 'replayed'), 'record')} found their place.</p>}
            </JobFollower>
          )}
        </div>
      )}
      {skipped.length > 0 && (
        <DataTable
          caption="Skipped ranges"
          rows={skipped}
          rowKey={(s) => `${s.lane}/${s.partition}/${s.from}`}
          columns={[
            { key: 'lane', head: 'Lane', heading: true, cell: (s) => `${s.lane} ${s.partition}` },
            { key: 'range', head: 'Offsets', cell: (s) => `${number(s.from)} – ${number(s.to)}` },
            { key: 'n', head: 'Records', numeric: true, cell: (s) => number(s.to - s.from) },
            {
              key: 'when',
              head: 'Received',
              wide: true,
              cell: (s) => `${instant(s.received_from, zone)} to ${instant(s.received_to, zone)}`,
            },
            { key: 'by', head: 'By', cell: (s) => s.by.replace(/^user:/, '') },
            { key: 'why', head: 'Why', cell: (s) => s.reason },
            {
              key: 'do',
              head: 'Catch up',
              cell: (s) => (
                <Button
                  size="compact-sm"
                  variant="default"
                  disabled={start.isPending}
                  onClick={() => replay([s])}
                  aria-label={`Replay ${s.lane} ${s.partition}, offsets ${s.from} to ${s.to}`}
                >
                  Replay
                </Button>
              ),
            },
          ]}
        />
      )}
    </Panel>
  );
}

export function figure(report: unknown, name: string): number {
  const value = (report as Record<string, unknown> | null)?.[name];
  return typeof value === 'number' ? value : 0;
}
