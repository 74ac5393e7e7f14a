import { NumberInput, TagsInput, TextInput } from '@mantine/core';
import { DateTimePicker } from '@mantine/dates';
import { useState } from 'react';
import type { Condition, Json, SchemaProperty } from '../../../api/types';
import classes from './builder.module.css';
import { shape } from './ConditionRow';

interface Props {
  condition: Condition;
  property: SchemaProperty | undefined;
  label: string;
  onChange: (condition: Condition) => void;
}

/** The input that fits the operator. Typing becomes part of the chart when it is finished, not per letter. */
export function ConditionValue({ condition, property, label, onChange }: Props) {
  const set = (value: Json) => onChange({ ...condition, value });
  const common = { size: 'xs' as const, 'aria-label': `${label}: value` };
  switch (shape(condition.op)) {
    case 'texts':
      return (
        <TagsInput
          {...common}
          className={classes.values}
          value={texts(condition.value)}
          data={suggestions(property)}
          onChange={set}
          placeholder={texts(condition.value).length ? undefined : 'value'}
          acceptValueOnBlur
          splitChars={['\n']}
        />
      );
    case 'number':
      return <NumberValue {...common} value={condition.value} onDone={set} />;
    case 'pair': {
      const [low = null, high = null] = Array.isArray(condition.value) ? condition.value : [];
      return (
        <span className={classes.pair}>
          <NumberValue {...common} aria-label={`${label}: from`} value={low} onDone={(v) => set([v, high])} />
          <span>and</span>
          <NumberValue {...common} aria-label={`${label}: to`} value={high} onDone={(v) => set([low, v])} />
        </span>
      );
    }
    case 'instant':
      return (
        <DateTimePicker
          {...common}
          w={170}
          value={typeof condition.value === 'string' ? condition.value.slice(0, 19).replace('T', ' ') : null}
          onChange={(v) => v && set(`${v.replace(' ', 'T')}Z`)}
          placeholder="UTC"
        />
      );
    case 'text':
      return <TextValue {...common} value={condition.value} onDone={set} />;
    default:
      return null;
  }
}

interface ValueProps {
  size: 'xs';
  'aria-label': string;
  value: Json | undefined;
  onDone: (v: Json) => void;
}

function NumberValue({ value, onDone, ...rest }: ValueProps) {
  return (
    <NumberInput
      {...rest}
      w={86}
      hideControls
      value={typeof value === 'number' ? value : ''}
      onChange={(v) => onDone(typeof v === 'number' ? v : null)}
    />
  );
}

function TextValue({ value, onDone, ...rest }: ValueProps) {
  const [text, setText] = useState(typeof value === 'string' ? value : '');
  return (
    <TextInput
      {...rest}
      value={text}
      spellCheck={false}
      placeholder="^pattern$"
      onChange={(e) => setText(e.currentTarget.value)}
      onBlur={() => onDone(text)}
      onKeyDown={(e) => e.key === 'Enter' && onDone(text)}
    />
  );
}

function texts(v: Json | undefined): string[] {
  if (v === undefined || v === null) return [];
  return (Array.isArray(v) ? v : [v]).map(String);
}

function suggestions(property: SchemaProperty | undefined): string[] {
  const seen = property?.types.includes('boolean')
    ? [true, false, ...(property.examples ?? [])]
    : property?.examples;
  return [...new Set((seen ?? []).filter((e) => typeof e !== 'object').map(String))].slice(0, 50);
}
