import { ActionIcon, Tooltip } from '@mantine/core';
import type { ReactNode } from 'react';
import { Icon } from '../../../ui/icons';
import { eventName } from '../shape/names';
import type { Step } from '../state/types';
import classes from './builder.module.css';
import { Conditions } from './Conditions';
import { EventPicker } from './EventPicker';

interface Props {
  project: string;
  /** "1", "A": what the result calls it. */
  mark: string;
  step: Step;
  onChange: (step: Step) => void;
  onRemove?: () => void;
  /** Moves it by one place; absent where there is no place. */
  onUp?: () => void;
  onDown?: () => void;
  children?: ReactNode;
}

/** One event of a chart with its conditions; order changes by buttons, so by keyboard too. */
export function StepCard({ project, mark, step, onChange, onRemove, onUp, onDown, children }: Props) {
  const name = `${mark} ${eventName(step.event)}`;
  return (
    <li className={classes.step}>
      <div className={classes.stepHead}>
        <span className={classes.mark}>{mark}</span>
        <EventPicker
          project={project}
          label={`Event ${mark}`}
          value={step.event}
          onChange={(event) => onChange({ ...step, event })}
        />
        <span className={classes.stepTools}>
          <Tool icon="up" label={`Move ${name} up`} onClick={onUp} />
          <Tool icon="down" label={`Move ${name} down`} onClick={onDown} />
          <Tool icon="close" label={`Remove ${name}`} onClick={onRemove} />
        </span>
      </div>
      <div className={classes.stepBody}>
        {children}
        <Conditions
          project={project}
          what={`Event ${name}`}
          conditions={step.where}
          events={[step.event]}
          onChange={(where) => onChange({ ...step, where })}
        />
      </div>
    </li>
  );
}

interface ToolProps {
  icon: 'up' | 'down' | 'close';
  label: string;
  onClick: (() => void) | undefined;
}

function Tool({ icon, label, onClick }: ToolProps) {
  if (!onClick) return null;
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="sm"
        aria-label={label}
        data-tool={icon}
        onClick={onClick}
      >
        <Icon name={icon} size={14} />
      </ActionIcon>
    </Tooltip>
  );
}
