import { describe, expect, it } from 'vitest';
import type { Rule } from '../../api/books';
import { actionOf, actionText, draftOf, emptyDraft, lacking, standing } from './draft';

const drop = {
  ...emptyDraft,
  events: ['Play', 'Pause'],
  conditions: [{ scope: 'event' as const, property: 'bot', op: 'is' as const, value: ['true'] }],
};

describe('a rule being written', () => {
  it('says what is missing', () => {
    expect(lacking(emptyDraft)).toMatch(/Choose an event/);
    expect(lacking(drop)).toBeNull();
    expect(lacking({ ...drop, conditions: [{ scope: 'event', property: 'x', op: 'is' }] })).toMatch(
      /no value/,
    );
    expect(lacking({ ...emptyDraft, kind: 'block' })).toMatch(/at least one/);
    expect(lacking({ ...emptyDraft, kind: 'properties' })).toMatch(/property/);
  });
  it('survives being saved and edited', () => {
    for (const draft of [
      drop,
      { ...emptyDraft, kind: 'block' as const, users: ['u'], devices: ['d'] },
      { ...emptyDraft, kind: 'properties' as const, mode: 'allow' as const, properties: ['a'] },
      { ...emptyDraft, kind: 'properties' as const, properties: ['a', 'b'] },
    ]) {
      const rule = { name: '', action: actionOf(draft) } as Rule;
      expect(draftOf(rule)).toEqual(draft);
    }
  });
  it('leaves rules of other kinds alone', () => {
    expect(draftOf({ name: '', action: { type: 'settings', settings: {} } } as unknown as Rule)).toBeNull();
  });
});

describe('a rule in words', () => {
  it('reads as a sentence', () => {
    expect(actionText(actionOf(drop))).toBe('Drops Play or Pause where bot is true.');
    expect(actionText({ type: 'drop', conditions: drop.conditions })).toMatch(/^Drops every event where/);
    expect(actionText({ type: 'block', users: ['a', 'b', 'c', 'd'] })).toBe(
      'Drops everything from users a, b, c and 1 more.',
    );
    expect(actionText({ type: 'properties', deny: ['a', 'b'] })).toBe(
      'Does not store the properties a and b.',
    );
  });
  it('says where it stands', () => {
    expect(standing({ state: 'published', enabled: true }).tone).toBe('waiting');
    expect(standing({ state: 'in_force', enabled: true }).text).toBe('In force');
    expect(standing({ state: 'in_force', enabled: false }).text).toBe('Switched off');
    expect(standing({ state: 'in_force', enabled: true, problem: 'x' }).tone).toBe('broken');
  });
});
