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
  /** Only properties of the event itself, where nothing is known about people yet. */
  eventOnly?: boolean;
  onChange: (conditions: Condition[]) => void;
  add?: string;
}

/** All of these must hold. */
export function Conditions(props: Props) {
  const { project, what, conditions, events, eventOnly, onChange, add = 'Filter' } = props;
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
          eventOnly={eventOnly}
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
        eventOnly={eventOnly}
        add={add}
        icon="filter"
        onChange={(p) =>
          onChange([...conditions, { ...p, op: firstOperator(findProperty(schema, p)?.types) }])
        }
      />
    </div>
  );
}
