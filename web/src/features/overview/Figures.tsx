import type { ReactNode } from 'react';
import { useChart } from '../../api/hooks';
import type { SegmentationResult } from '../../api/types';
import { Sparkline } from '../../ui/charts/Sparkline';
import { Figure } from '../../ui/Figure';
import { number } from '../../ui/format/number';
import { Panel } from '../../ui/Panel';
import { Failed } from '../../ui/states';
import classes from './overview.module.css';
import { change, dailyQuery, weekQuery } from './queries';

const REFRESH_MS = 15_000;

export function Figures({ project }: { project: string }) {
  const daily = useChart<SegmentationResult>(project, dailyQuery, { everyMs: REFRESH_MS });
  const week = useChart<SegmentationResult>(project, weekQuery, { everyMs: REFRESH_MS });
  if (daily.isError && !daily.data) {
    return (
      <Panel>
        <Failed
          error={daily.error}
          retry={() => void daily.refetch()}
          what="The numbers could not be counted"
        />
      </Panel>
    );
  }
  const [people, events] = daily.data?.series ?? [];
  const weekly = week.data?.series ?? [];
  const incomplete = daily.data?.incomplete.slice(-14);
  return (
    <section className={classes.figures} aria-label="Key figures" aria-busy={daily.isPending}>
      <Figure label="Active people today" {...today(people?.values, incomplete)} />
      <Figure label="Events today" {...today(events?.values, incomplete)} />
      <Figure
        label="Active people, last 7 days"
        value={number(weekly[0]?.total)}
        note="each person once, today included"
      />
      <Figure label="Events, last 7 days" value={number(weekly[1]?.total)} note="today included" />
    </section>
  );
}

function today(values: (number | null)[] | undefined, incomplete: boolean[] | undefined) {
  const c = change(values);
  const aside: ReactNode = values ? (
    <Sparkline values={values.slice(-14)} incomplete={incomplete} width={92} height={34} />
  ) : null;
  return {
    value: number(values?.at(-1)),
    note: c ? `${number(c.yesterday)} all of yesterday` : 'so far',
    aside,
  };
}
