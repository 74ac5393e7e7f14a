import { ActionIcon, Select } from '@mantine/core';
import { useSchema } from '../../../api/hooks';
import type { Condition, Operator } from '../../../api/types';
import { Icon } from '../../../ui/icons';
import { needsValue } from '../state/types';
import classes from './builder.module.css';
import { ConditionValue } from './ConditionValue';
import { findProperty, firstOperator, operatorName, operators } from './choices';
import { PropertyPicker } from './PropertyPicker';

interface Props {
  project: string;
  condition: Condition;
  word: string;
  label: string;
  events?: string[];
  /** Only properties of the event itself, where nothing is known about people yet. */
  eventOnly?: boolean;
  onChange: (condition: Condition) => void;
  onRemove: () => void;
}

export function ConditionRow(props: Props) {
  const { project, condition, word, label, events, eventOnly, onChange, onRemove } = props;
  const { data: schema } = useSchema(project);
  const property = findProperty(schema, condition);
  const choices = operators(property?.types, condition.op);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset brings its own box; the role says the same
    <div className={classes.condition} role="group" aria-label={label}>
      <span className={classes.word}>{word}</span>
      <PropertyPicker
        project={project}
        label={`${label}: property`}
        value={condition}
        events={events}
        eventOnly={eventOnly}
        onChange={(p) => onChange({ ...p, op: firstOperator(findProperty(schema, p)?.types) })}
      />
      <Select
        size="xs"
        w={148}
        aria-label={`${label}: operator`}
        data={choices.map((o) => ({ value: o, label: operatorName(o) }))}
        value={condition.op}
        allowDeselect={false}
        comboboxProps={{ width: 190, position: 'bottom-start' }}
        onChange={(op) => op && onChange(withOperator(condition, op as Operator))}
      />
      {needsValue(condition.op) && (
        <ConditionValue condition={condition} property={property} label={label} onChange={onChange} />
      )}
      <ActionIcon variant="subtle" color="gray" size="sm" onClick={onRemove} aria-label={`${label}: remove`}>
        <Icon name="close" size={13} />
      </ActionIcon>
    </div>
  );
}

/** Keeps the value when the new operator takes the same kind of value. */
function withOperator(c: Condition, op: Operator): Condition {
  const kept = shape(op) === shape(c.op) ? c.value : undefined;
  const { value: _, ...rest } = c;
  return kept === undefined ? { ...rest, op } : { ...rest, op, value: kept };
}

export function shape(op: Operator): 'none' | 'texts' | 'text' | 'number' | 'pair' | 'instant' {
  if (!needsValue(op)) return 'none';
  if (op === 'between') return 'pair';
  if (op === 'gt' || op === 'gte' || op === 'lt' || op === 'lte') return 'number';
  if (op === 'before' || op === 'after') return 'instant';
  if (op === 'regex' || op === 'not_regex') return 'text';
  return 'texts';
}
