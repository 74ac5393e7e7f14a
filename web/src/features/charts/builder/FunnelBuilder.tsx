import { NumberInput, Select, VisuallyHidden } from '@mantine/core';
import type { Duration } from '../../../api/types';
import { eventName } from '../shape/names';
import type { FunnelState, Step } from '../state/types';
import classes from './builder.module.css';
import { CommonSections, Section } from './Common';
import { EventPicker } from './EventPicker';
import { moved, removed, replaced } from './lists';
import { StepCard } from './StepCard';
import { useFollowingFocus } from './useFollowingFocus';

interface Props {
  project: string;
  state: FunnelState;
  onChange: (state: FunnelState) => void;
}

const STEPS_MAX = 20;

export function FunnelBuilder({ project, state, onChange }: Props) {
  const { steps } = state;
  const put = (next: Step[]) => onChange({ ...state, steps: next });
  const order = useFollowingFocus(steps);
  const move = (at: number, by: -1 | 1) => {
    order.follow(at + by, by, eventName(steps[at]?.event ?? ''));
    put(moved(steps, at, by));
  };
  return (
    <>
      <Section title="Steps">
        <ol className={classes.steps} ref={order.list}>
          {steps.map((s, i) => (
            <StepCard
              // biome-ignore lint/suspicious/noArrayIndexKey: a step is named by its place
              key={i}
              project={project}
              mark={String(i + 1)}
              step={s}
              onChange={(step) => put(replaced(steps, i, step))}
              onRemove={() => put(removed(steps, i))}
              onUp={i > 0 ? () => move(i, -1) : undefined}
              onDown={i < steps.length - 1 ? () => move(i, 1) : undefined}
            />
          ))}
        </ol>
        <VisuallyHidden role="status">{order.said}</VisuallyHidden>
        {steps.length < STEPS_MAX && (
          <EventPicker
            project={project}
            label={`Add step ${steps.length + 1}`}
            add={steps.length === 0 ? 'Choose the first step' : 'Add step'}
            value={null}
            onChange={(event) => put([...steps, { event, where: [] }])}
          />
        )}
      </Section>
      <Section title="How long" note="Steps count in this order; other events may lie between them.">
        <WindowInput value={state.window} onChange={(window) => onChange({ ...state, window })} />
      </Section>
      <CommonSections
        project={project}
        state={state}
        events={steps.map((s) => s.event)}
        segmentNote="Applies to the first step: who enters the funnel."
        breakdownNote="The value on the first step decides the group."
        onChange={onChange}
      />
    </>
  );
}

interface WindowProps {
  value: Duration;
  onChange: (d: Duration) => void;
}

/** Time that one attempt may take, from its first step. */
function WindowInput({ value, onChange }: WindowProps) {
  return (
    <div className={classes.window}>
      <NumberInput
        size="xs"
        label="Within"
        min={1}
        max={366}
        allowDecimal={false}
        clampBehavior="strict"
        value={value.n}
        onChange={(n) => typeof n === 'number' && n >= 1 && onChange({ ...value, n })}
      />
      <Select
        size="xs"
        label="of the first step"
        aria-label="Unit of the time window"
        data={[
          { value: 'minute', label: 'minutes' },
          { value: 'hour', label: 'hours' },
          { value: 'day', label: 'days' },
          { value: 'week', label: 'weeks' },
        ]}
        value={value.unit}
        allowDeselect={false}
        onChange={(u) => u && onChange({ ...value, unit: u as Duration['unit'] })}
      />
    </div>
  );
}
