import { describe, expect, it } from 'vitest';
import type { Schema } from '../../../api/types';
import { eventChoices, findProperty, firstOperator, operators, propertyChoices } from './choices';

const schema: Schema = {
  events: [
    { name: 'Rare', count: 2, operation: false },
    { name: 'Play', count: 5000, operation: false },
    { name: '$identify', count: 9, operation: true },
  ],
  properties: [
    { name: 'amount', scope: 'event', types: ['number'], count: 5, examples: [], events: ['Purchase'] },
    { name: 'genre', scope: 'event', types: ['string'], count: 9, examples: [], events: ['Play'] },
    { name: 'plan', scope: 'user', types: ['string'], count: 3, examples: [], events: [] },
  ],
};

describe('pickers', () => {
  it('offer events by volume, without operations', () => {
    expect(eventChoices(schema).map((c) => c.value)).toEqual(['*', '$active', 'Play', 'Rare']);
    expect(eventChoices(undefined)).toHaveLength(2);
  });

  it('put properties of the chosen event first', () => {
    const choices = propertyChoices(schema, { events: ['Purchase'] });
    expect(choices.map((c) => c.value)).toEqual(['event.amount', 'event.genre', 'user.plan', 'person.plan']);
    expect(choices[1]?.group).toBe('Properties of other events');
  });

  it('offer only numbers where a number is needed', () => {
    expect(propertyChoices(schema, { numbersOnly: true, eventOnly: true }).map((c) => c.label)).toEqual([
      'amount',
    ]);
  });

  it('find the user property behind its latest value', () => {
    expect(findProperty(schema, { scope: 'person', property: 'plan' })?.types).toEqual(['string']);
  });
});

describe('operators', () => {
  it('fit the type', () => {
    expect(operators(['number'])).toContain('between');
    expect(operators(['number'])).not.toContain('contains');
    expect(operators(['boolean'])).toEqual(['is', 'is_not', 'is_set', 'is_not_set']);
  });
  it('keep the operator of a link, also an unusual one', () => {
    expect(operators(['boolean'], 'regex')).toContain('regex');
  });
  it('start with what people mean', () => {
    expect(firstOperator(['number'])).toBe('gte');
    expect(firstOperator(['string'])).toBe('is');
    expect(firstOperator(undefined)).toBe('is');
  });
});
