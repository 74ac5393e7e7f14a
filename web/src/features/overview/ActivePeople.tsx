import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useChart } from '../../api/hooks';
import type { SegmentationResult } from '../../api/types';
import { TrendChart } from '../../ui/charts/TrendChart';
import { number } from '../../ui/format/number';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import { trendLines, trendSummary } from '../charts/shape/trend';
import { readState } from '../charts/state/codec';
import { dailyQuery, TREND_DAYS } from './queries';

/** The chart that the panel links to: the same question. */
const state = readState('segmentation', { range: `${TREND_DAYS}d` });

export function ActivePeople({ project }: { project: string }) {
  const daily = useChart<SegmentationResult>(project, dailyQuery, { everyMs: 15_000 });
  const result = daily.data && { ...daily.data, series: daily.data.series.slice(0, 1) };
  const lines = result ? trendLines(state, result) : [];
  const summary = result ? trendSummary(state, lines, result) : '';
  return (
    <Panel
      title="Active people by day"
      note={summary || undefined}
      actions={
        <Button
          component={Link}
          to={`/p/${encodeURIComponent(project)}/charts/segmentation`}
          size="xs"
          variant="subtle"
        >
          Open in Trends
        </Button>
      }
    >
      {daily.isPending && <Loading what="Counting" />}
      {daily.isError && !result && <Failed error={daily.error} retry={() => void daily.refetch()} />}
      {result && lines.every((l) => l.total === 0) && (
        <Empty title="Nobody was active in the last 30 days">
          The chart begins with the first event of a person.
        </Empty>
      )}
      {result && lines.some((l) => l.total !== 0) && (
        <TrendChart
          summary={summary}
          buckets={result.buckets}
          incomplete={result.incomplete}
          interval="day"
          lines={lines.map((l) => ({ ...l, name: 'Active people' }))}
          height={236}
          format={number}
        />
      )}
    </Panel>
  );
}
