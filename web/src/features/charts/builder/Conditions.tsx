import { useSchema } from '../../../api/hooks';
import type { Condition } from '../../../api/types';
import classes from './builder.module.css';
import { ConditionRow } from './ConditionRow';
import { findProperty, firstOperator } from './choices';
import { PropertyPicker } from './PropertyPicker';

interface Props {
  project: string;
  /** "where" for an event, "segment" for the chart. */
  what: string;
  conditions: Condition[];
  events?: string[];
  onChange: (conditions: Condition[]) => void;
  add?: string;
}

/** All of these must hold. */
export function Conditions({ project, what, conditions, events, onChange, add = 'Filter' }: Props) {
  const { data: schema } = useSchema(project);
  const replace = (i: number, c: Condition) => onChange(conditions.map((old, k) => (k === i ? c : old)));
  return (
    <div className={classes.conditions}>
      {conditions.map((c, i) => (
        <ConditionRow
          // biome-ignore lint/suspicious/noArrayIndexKey: conditions have no identity besides their place
          key={i}
          project={project}
          condition={c}
          word={i === 0 ? 'where' : 'and'}
          events={events}
          label={`${what}, condition ${i + 1}`}
          onChange={(next) => replace(i, next)}
          onRemove={() => onChange(conditions.filter((_, k) => k !== i))}
        />
      ))}
      <PropertyPicker
        project={project}
        label={`${what}: add condition`}
        value={null}
        events={events}
        add={add}
        icon="filter"
        onChange={(p) =>
          onChange([...conditions, { ...p, op: firstOperator(findProperty(schema, p)?.types) }])
        }
      />
    </div>
  );
}
