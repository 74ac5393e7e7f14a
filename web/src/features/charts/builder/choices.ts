/** What the pickers offer, from the project's schema. Pure. */
import type { Operator, PropertyType, Schema, SchemaProperty } from '../../../api/types';
import { compact } from '../../../ui/format/number';
import { ACTIVE_EVENT, ANY_EVENT, type Breakdown } from '../state/types';
import type { Choice } from './Picker';

export function eventChoices(schema: Schema | undefined): Choice[] {
  const own = (schema?.events ?? [])
    .filter((e) => !e.operation)
    .sort((a, b) => b.count - a.count)
    .map((e) => ({ value: e.name, label: e.name, note: compact(e.count), group: 'Events' }));
  return [
    { value: ANY_EVENT, label: 'Any event', note: 'all of them' },
    { value: ACTIVE_EVENT, label: 'Any active event', note: 'not marked inactive' },
    ...own,
  ];
}

interface PropertyFilter {
  /** Event properties seen on these events come first; others stay available. */
  events?: string[];
  numbersOnly?: boolean;
  eventOnly?: boolean;
}

export function propertyChoices(schema: Schema | undefined, filter: PropertyFilter = {}): Choice[] {
  const usable = (schema?.properties ?? []).filter((p) => !filter.numbersOnly || p.types.includes('number'));
  const here = (p: SchemaProperty) =>
    !filter.events?.length || p.events.length === 0 || p.events.some((e) => filter.events?.includes(e));
  const events = usable.filter((p) => p.scope === 'event').sort(byCount);
  const users = usable.filter((p) => p.scope === 'user').sort(byCount);
  const choice = (scope: Breakdown['scope'], group: string) => (p: SchemaProperty) => ({
    value: `${scope}.${p.name}`,
    label: p.name,
    note: p.types.join(', '),
    group,
  });
  const all = [
    ...events.filter(here).map(choice('event', 'Event properties')),
    ...events.filter((p) => !here(p)).map(choice('event', 'Properties of other events')),
  ];
  if (filter.eventOnly) return all;
  return [
    ...all,
    ...users.map(choice('user', 'User properties, as of the event')),
    ...users.map(choice('person', 'User properties, latest')),
  ];
}

function byCount(a: SchemaProperty, b: SchemaProperty): number {
  return b.count - a.count || a.name.localeCompare(b.name);
}

export function findProperty(schema: Schema | undefined, b: Breakdown): SchemaProperty | undefined {
  const scope = b.scope === 'person' ? 'user' : b.scope;
  return schema?.properties.find((p) => p.scope === scope && p.name === b.property);
}

const names: Record<Operator, string> = {
  is: 'is',
  is_not: 'is not',
  contains: 'contains',
  not_contains: 'does not contain',
  starts_with: 'starts with',
  ends_with: 'ends with',
  regex: 'matches pattern',
  not_regex: 'does not match pattern',
  gt: 'is greater than',
  gte: 'is at least',
  lt: 'is less than',
  lte: 'is at most',
  between: 'is between',
  before: 'is before',
  after: 'is after',
  is_set: 'is set',
  is_not_set: 'is not set',
};

const forType: Record<PropertyType, Operator[]> = {
  string: [
    'is',
    'is_not',
    'contains',
    'not_contains',
    'starts_with',
    'ends_with',
    'regex',
    'not_regex',
    'before',
    'after',
  ],
  number: ['is', 'is_not', 'gt', 'gte', 'lt', 'lte', 'between'],
  boolean: ['is', 'is_not'],
  list: ['is', 'is_not', 'contains', 'not_contains', 'regex'],
};

/** Operators that make sense for the types a property has; every property may be set or not. */
export function operators(types: PropertyType[] | undefined, current?: Operator): Operator[] {
  const known = types?.length ? types : (['string', 'number'] as PropertyType[]);
  const all = new Set<Operator>(known.flatMap((t) => forType[t] ?? forType.string));
  if (current) all.add(current);
  return [...all, ...(['is_set', 'is_not_set'] as Operator[]).filter((o) => !all.has(o))];
}

export function operatorName(op: Operator): string {
  return names[op];
}

/** The operator that a new condition starts with. */
export function firstOperator(types: PropertyType[] | undefined): Operator {
  return types?.length === 1 && types[0] === 'number' ? 'gte' : 'is';
}
