import { Button } from '@mantine/core';
import { useId, useState } from 'react';
import { books, type Rule, useChanging } from '../../api/books';
import { instant } from '../../ui/format/time';
import { FormError } from '../login/FormError';
import { ApplyPast } from './ApplyPast';
import { actionText, draftOf, standing } from './draft';
import { RuleHistory } from './RuleHistory';
import classes from './rules.module.css';

interface Props {
  project: string;
  zone: string;
  rule: Rule;
  edit: () => void;
}

/** One rule: what it does, where it stands, who wanted it, and what can be done with it. */
export function RuleRow({ project, zone, rule, edit }: Props) {
  const [open, setOpen] = useState<'history' | 'past' | null>(null);
  const id = useId();
  const toggle = useChanging(project, () =>
    books.saveRule(project, rule.id, {
      name: rule.name,
      action: rule.action,
      enabled: !rule.enabled,
      reason: rule.enabled ? 'switched off' : 'switched on again',
    }),
  );
  const s = standing(rule);
  const panel = (which: 'history' | 'past', label: string) => (
    <Button
      size="compact-sm"
      variant="default"
      aria-expanded={open === which}
      aria-controls={open === which ? id : undefined}
      onClick={() => setOpen((o) => (o === which ? null : which))}
    >
      {label}
    </Button>
  );
  return (
    <li className={classes.rule} aria-label={rule.name} data-off={!rule.enabled || undefined}>
      <div className={classes.ruleHead}>
        <h3>{rule.name}</h3>
        <span className={classes.standing} data-tone={s.tone}>
          {s.text}
        </span>
      </div>
      <p className={classes.does}>{actionText(rule.action)}</p>
      <p className={classes.meta}>
        {rule.state === 'in_force' && rule.published_at && `Since ${instant(rule.published_at, zone)}. `}
        Version {rule.version}, by {rule.by.replace(/^user:/, '')}
        {rule.reason && `: ${rule.reason}`}
      </p>
      {rule.problem && <p className={classes.wrong}>{rule.problem}</p>}
      <div className={classes.buttons}>
        {draftOf(rule) && (
          <Button size="compact-sm" variant="default" onClick={edit} aria-label={`Edit ${rule.name}`}>
            Edit
          </Button>
        )}
        <Button
          size="compact-sm"
          variant="default"
          loading={toggle.isPending}
          onClick={() => toggle.mutate(null)}
        >
          {rule.enabled ? 'Switch off' : 'Switch on'}
        </Button>
        {panel('history', 'Versions and positions')}
        {panel('past', 'Apply to the past')}
      </div>
      <FormError error={toggle.error} />
      {open && (
        <div id={id} className={classes.opened}>
          {open === 'history' && <RuleHistory project={project} zone={zone} rule={rule} />}
          {open === 'past' && <ApplyPast project={project} rule={rule} />}
        </div>
      )}
    </li>
  );
}
