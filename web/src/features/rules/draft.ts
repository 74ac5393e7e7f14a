/** A rule while it is being written, and rules in words. Pure. */
import type { Rule, RuleAction } from '../../api/books';
import type { Condition, Json } from '../../api/types';
import { operatorName } from '../charts/builder/choices';
import { complete } from '../charts/state/query';

export type Kind = 'drop' | 'block' | 'properties';

export interface Draft {
  name: string;
  reason: string;
  kind: Kind;
  events: string[];
  conditions: Condition[];
  users: string[];
  devices: string[];
  /** Leave these properties out, or keep only these. */
  mode: 'deny' | 'allow';
  properties: string[];
}

export const emptyDraft: Draft = {
  name: '',
  reason: '',
  kind: 'drop',
  events: [],
  conditions: [],
  users: [],
  devices: [],
  mode: 'deny',
  properties: [],
};

/** The draft that an existing rule is edited as; null for kinds that are edited elsewhere. */
export function draftOf(rule: Rule): Draft | null {
  const common = { ...emptyDraft, name: rule.name };
  const a = rule.action;
  switch (a.type) {
    case 'drop':
      return { ...common, kind: 'drop', events: a.events ?? [], conditions: a.conditions ?? [] };
    case 'block':
      return { ...common, kind: 'block', users: a.users ?? [], devices: a.devices ?? [] };
    case 'properties':
      return {
        ...common,
        kind: 'properties',
        mode: a.allow ? 'allow' : 'deny',
        properties: a.allow ?? a.deny ?? [],
      };
    default:
      return null;
  }
}

export function actionOf(d: Draft): RuleAction {
  if (d.kind === 'block') return { type: 'block', users: d.users, devices: d.devices };
  if (d.kind === 'properties') {
    return d.mode === 'allow'
      ? { type: 'properties', deny: [], allow: d.properties }
      : { type: 'properties', deny: d.properties };
  }
  return { type: 'drop', events: d.events, conditions: complete(d.conditions) };
}

/** What is still missing before it can be tried, as a sentence; null when it can. */
export function lacking(d: Draft): string | null {
  if (d.kind === 'block') {
    return d.users.length + d.devices.length === 0 ? 'Give at least one user id or device id.' : null;
  }
  if (d.kind === 'properties') return d.properties.length === 0 ? 'Name at least one property.' : null;
  if (d.conditions.length > complete(d.conditions).length) return 'A condition has no value yet.';
  return d.events.length + d.conditions.length === 0 ? 'Choose an event, or add a condition.' : null;
}

/** "Drops Debug Ping where platform is web". */
export function actionText(a: RuleAction): string {
  switch (a.type) {
    case 'drop': {
      const events = a.events?.length ? list(a.events, 'or') : 'every event';
      const where = (a.conditions ?? []).map(conditionText);
      return `Drops ${events}${where.length ? ` where ${where.join(' and ')}` : ''}.`;
    }
    case 'block': {
      const parts = [ids('user', a.users), ids('device', a.devices)].filter(Boolean);
      return `Drops everything from ${parts.join(' and ')}.`;
    }
    case 'properties':
      return a.allow
        ? `Stores only the properties ${list(a.allow, 'and')}.`
        : `Does not store the properties ${list(a.deny ?? [], 'and')}.`;
    default:
      return 'Sets how events of this project are read.';
  }
}

function ids(what: string, all: string[] | undefined): string {
  if (!all?.length) return '';
  const shown = all.slice(0, 3).join(', ');
  return `${what}${all.length === 1 ? '' : 's'} ${shown}${all.length > 3 ? ` and ${all.length - 3} more` : ''}`;
}

export function conditionText(c: Condition): string {
  const value = c.value === undefined ? '' : ` ${valueText(c.value)}`;
  return `${c.property} ${operatorName(c.op)}${value}`;
}

function valueText(v: Json): string {
  if (Array.isArray(v)) return list(v.map(valueText), 'or');
  return typeof v === 'object' ? JSON.stringify(v) : String(v);
}

function list(all: string[], word: string): string {
  if (all.length < 2) return all.join('');
  return `${all.slice(0, -1).join(', ')} ${word} ${all.at(-1)}`;
}

export interface Standing {
  tone: 'on' | 'off' | 'waiting' | 'broken';
  text: string;
}

/** Where a rule stands; the time is added beside it. */
export function standing(r: Pick<Rule, 'state' | 'enabled' | 'problem'>): Standing {
  if (r.problem) return { tone: 'broken', text: 'Does nothing' };
  if (r.state !== 'in_force')
    return { tone: 'waiting', text: r.enabled ? 'On its way' : 'Being switched off' };
  return r.enabled ? { tone: 'on', text: 'In force' } : { tone: 'off', text: 'Switched off' };
}
