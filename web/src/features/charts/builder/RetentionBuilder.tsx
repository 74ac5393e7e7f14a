import { NumberInput, SegmentedControl, Select } from '@mantine/core';
import type { RetentionState } from '../state/types';
import classes from './builder.module.css';
import { CommonSections, Section } from './Common';
import { StepCard } from './StepCard';

interface Props {
  project: string;
  state: RetentionState;
  onChange: (state: RetentionState) => void;
}

/** As many offsets as the interval usually needs. */
const usual = { day: 14, week: 8, month: 6 };

export function RetentionBuilder({ project, state, onChange }: Props) {
  const interval = (v: RetentionState['interval']) =>
    onChange({
      ...state,
      interval: v,
      periods: usual[v],
      range: 'last' in state.range ? { last: usual[v], unit: v } : state.range,
    });
  return (
    <>
      <Section title="They started with">
        <ol className={classes.steps}>
          <StepCard
            project={project}
            mark="→"
            step={state.start}
            onChange={(start) => onChange({ ...state, start })}
          />
        </ol>
      </Section>
      <Section title="They came back with">
        <ol className={classes.steps}>
          <StepCard
            project={project}
            mark="↩"
            step={state.back}
            onChange={(back) => onChange({ ...state, back })}
          />
        </ol>
      </Section>
      <Section title="How">
        <SegmentedControl
          size="xs"
          fullWidth
          aria-label="Interval"
          data={[
            { value: 'day', label: 'Days' },
            { value: 'week', label: 'Weeks' },
            { value: 'month', label: 'Months' },
          ]}
          value={state.interval}
          onChange={(v) => interval(v as RetentionState['interval'])}
        />
        <div className={classes.window}>
          <Select
            size="xs"
            label="Counted"
            data={[
              { value: 'on', label: 'in that period' },
              { value: 'on_or_after', label: 'then or later' },
            ]}
            value={state.returned}
            allowDeselect={false}
            onChange={(v) => v && onChange({ ...state, returned: v as RetentionState['returned'] })}
          />
          <NumberInput
            size="xs"
            label="Periods"
            min={1}
            max={60}
            allowDecimal={false}
            clampBehavior="strict"
            value={state.periods}
            onChange={(n) => typeof n === 'number' && n >= 1 && onChange({ ...state, periods: n })}
          />
        </div>
        <Select
          size="xs"
          label="Periods are"
          data={[
            { value: 'calendar', label: 'calendar periods' },
            { value: 'rolling', label: 'counted from each start' },
          ]}
          value={state.mode}
          allowDeselect={false}
          onChange={(v) => v && onChange({ ...state, mode: v as RetentionState['mode'] })}
        />
      </Section>
      <CommonSections
        project={project}
        state={state}
        events={[state.start.event]}
        segmentNote="Applies to the start: who is in a cohort."
        breakdownNote="The value on the start event decides the group."
        onChange={onChange}
      />
    </>
  );
}
