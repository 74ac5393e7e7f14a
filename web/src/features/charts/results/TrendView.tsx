import { SegmentedControl, Select } from '@mantine/core';
import { useState } from 'react';
import { useZone } from '../../../api/hooks';
import { Legend } from '../../../ui/charts/Legend';
import { TrendChart } from '../../../ui/charts/TrendChart';
import { number } from '../../../ui/format/number';
import { Empty } from '../../../ui/states';
import { bucketsMissing } from '../shape/gaps';
import { trendLines, trendSummary, trendTable } from '../shape/trend';
import { INTERVALS, type Interval, type SegmentationState } from '../state/types';
import { useAnswer } from '../useChartState';
import { Gate } from './Gate';
import { ResultFrame } from './ResultFrame';

interface Props {
  project: string;
  state: SegmentationState;
  onChange: (state: SegmentationState) => void;
}

export function TrendView({ project, state, onChange }: Props) {
  const answer = useAnswer<'segmentation'>(project, state);
  const zone = useZone(project);
  const [hidden, setHidden] = useState(new Set<string>());
  const toggle = (id: string) =>
    setHidden((old) => {
      const next = new Set(old);
      if (!next.delete(id)) next.add(id);
      return next;
    });

  return (
    <Gate state={state} answer={answer}>
      {({ asked, result }) => {
        const lines = trendLines(asked, result);
        const shown = lines.filter((l) => !hidden.has(l.id));
        const summary = trendSummary(asked, lines, result);
        return (
          <ResultFrame
            project={project}
            state={state}
            summary={summary}
            envelope={result}
            open={result.incomplete.some(Boolean)}
            busy={answer.busy}
            rows={trendTable(asked, lines, result)}
            controls={<Controls state={state} onChange={onChange} />}
          >
            <Legend
              items={lines.map((l) => ({ ...l, total: number(l.total) }))}
              hidden={hidden}
              onToggle={toggle}
            />
            {lines.length === 0 ? (
              <Empty title="Nothing matched">
                No event in this range fits the conditions. Try a longer range or fewer conditions.
              </Empty>
            ) : (
              <TrendChart
                summary={summary}
                buckets={result.buckets}
                incomplete={result.incomplete}
                missing={bucketsMissing(result.buckets, result.gaps ?? [], zone)}
                interval={asked.interval}
                lines={shown}
                kind={state.view}
                height={340}
                format={number}
              />
            )}
          </ResultFrame>
        );
      }}
    </Gate>
  );
}

function Controls({ state, onChange }: Pick<Props, 'state' | 'onChange'>) {
  return (
    <>
      <Select
        size="xs"
        w={112}
        aria-label="Interval"
        data={INTERVALS.map((i) => ({ value: i, label: `by ${i}` }))}
        value={state.interval}
        allowDeselect={false}
        onChange={(v) => v && onChange({ ...state, interval: v as Interval })}
      />
      <SegmentedControl
        size="xs"
        aria-label="Chart type"
        data={[
          { value: 'line', label: 'Lines' },
          { value: 'bar', label: 'Bars' },
        ]}
        value={state.view}
        onChange={(v) => onChange({ ...state, view: v as SegmentationState['view'] })}
      />
    </>
  );
}
