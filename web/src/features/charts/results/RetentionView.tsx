import { SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import { Legend } from '../../../ui/charts/Legend';
import { TrendChart } from '../../../ui/charts/TrendChart';
import { number, percent } from '../../../ui/format/number';
import { Empty } from '../../../ui/states';
import { type RetentionShape, retentionShapes, retentionSummary, retentionTable } from '../shape/retention';
import type { RetentionState } from '../state/types';
import { useAnswer } from '../useChartState';
import { Gate } from './Gate';
import { ResultFrame } from './ResultFrame';
import classes from './results.module.css';
import { Triangle } from './Triangle';

interface Props {
  project: string;
  state: RetentionState;
  onChange: (state: RetentionState) => void;
}

export function RetentionView({ project, state, onChange }: Props) {
  const answer = useAnswer<'retention'>(project, state);
  const [chosen, setChosen] = useState<string | null>(null);
  return (
    <Gate state={state} answer={answer}>
      {({ asked, result }) => {
        const shapes = retentionShapes(result);
        const summary = retentionSummary(asked, shapes);
        const shown = shapes.find((s) => s.id === chosen) ?? shapes[0];
        const open = shapes.some((s) => s.rows.some((r) => r.cells.some((c) => c.open)));
        return (
          <ResultFrame
            project={project}
            state={state}
            summary={summary}
            envelope={result}
            open={open}
            busy={answer.busy}
            rows={retentionTable(shapes)}
            controls={
              <SegmentedControl
                size="xs"
                aria-label="Cells show"
                data={[
                  { value: 'share', label: 'Share' },
                  { value: 'people', label: 'People' },
                ]}
                value={state.view}
                onChange={(v) => onChange({ ...state, view: v as RetentionState['view'] })}
              />
            }
          >
            {!shown || shown.size === 0 ? (
              <Empty title="Nobody started in this range">
                No one did the start event. Try a longer range or fewer conditions.
              </Empty>
            ) : (
              <>
                <Curve shapes={shapes} asked={asked} summary={summary} />
                {shapes.length > 1 && (
                  <fieldset className={classes.chips}>
                    <legend className={classes.hidden}>Group shown in the table</legend>
                    {shapes.map((s) => (
                      <button
                        key={s.id}
                        type="button"
                        aria-pressed={s === shown}
                        onClick={() => setChosen(s.id)}
                      >
                        <i style={{ background: s.color }} />
                        {s.name}
                      </button>
                    ))}
                  </fieldset>
                )}
                <Triangle shape={shown} state={asked} view={state.view} />
              </>
            )}
          </ResultFrame>
        );
      }}
    </Gate>
  );
}

interface CurveProps {
  shapes: RetentionShape[];
  asked: RetentionState;
  summary: string;
}

/** Share by offset, over the cohorts whose cell is complete. */
function Curve({ shapes, asked, summary }: CurveProps) {
  const [hidden, setHidden] = useState(new Set<string>());
  const length = Math.max(0, ...shapes.map((s) => s.overall.length));
  const offsets = Array.from({ length }, (_, k) => `${unitName(asked.interval)} ${k}`);
  const lines = shapes.map((s) => ({
    id: s.id,
    name: s.name || 'All',
    color: s.color,
    values: offsets.map((_, k) =>
      s.overall[k] === null || s.overall[k] === undefined ? null : s.overall[k] * 100,
    ),
  }));
  return (
    <>
      {shapes.length > 1 && (
        <Legend
          items={shapes.map((s) => ({ ...s, total: number(s.size) }))}
          hidden={hidden}
          onToggle={(id) =>
            setHidden((old) => {
              const next = new Set(old);
              if (!next.delete(id)) next.add(id);
              return next;
            })
          }
        />
      )}
      <TrendChart
        summary={summary}
        buckets={offsets}
        incomplete={offsets.map(() => false)}
        interval="offset"
        lines={lines.filter((l) => !hidden.has(l.id))}
        height={210}
        format={(v) => percent(v === null ? null : v / 100)}
        unit=" %"
      />
    </>
  );
}

function unitName(interval: string): string {
  return interval.charAt(0).toUpperCase() + interval.slice(1);
}
