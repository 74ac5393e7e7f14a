import { Button, TextInput } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { books, type NewRule, type Rule, useChanging } from '../../api/books';
import { Panel } from '../../ui/Panel';
import { FormError } from '../login/FormError';
import { ActionFields } from './ActionFields';
import { actionOf, actionText, type Draft, lacking } from './draft';
import classes from './rules.module.css';
import { TryRule } from './TryRule';

interface Props {
  project: string;
  zone: string;
  initial: Draft;
  /** The rule that gets a new version; null makes a new rule. */
  rule: Rule | null;
  done: () => void;
}

/** Write it, try it on what has arrived, put it in force: in this order, and trying changes nothing. */
export function RuleForm({ project, zone, initial, rule, done }: Props) {
  const [draft, setDraft] = useState(initial);
  const save = useChanging(project, (body: NewRule) => books.saveRule(project, rule?.id ?? null, body));
  const form = useRef<HTMLFormElement>(null);
  // The button that opened the form is gone, and a rule far down the list opens it at the top.
  useEffect(() => form.current?.focus(), []);
  const missing = lacking(draft);
  const action = actionOf(draft);
  const unnamed = draft.name.trim() === '';
  return (
    <Panel
      title={rule ? `New version of “${rule.name}”` : 'New rule'}
      note={
        rule
          ? 'Earlier versions are kept. What they decided stays decided.'
          : 'It decides about events that arrive from now on. Nothing that is stored changes.'
      }
    >
      <form
        ref={form}
        tabIndex={-1}
        aria-label={rule ? `New version of ${rule.name}` : 'New rule'}
        className={classes.form}
        onSubmit={(e) => {
          e.preventDefault();
          if (missing || unnamed) return;
          const { name, reason } = draft;
          save.mutate(
            { name: name.trim(), reason: reason.trim(), enabled: true, action },
            { onSuccess: done },
          );
        }}
      >
        <ActionFields project={project} draft={draft} onChange={setDraft} />
        <p className={classes.reads} aria-live="polite">
          {missing ?? actionText(action)}
        </p>
        <TryRule project={project} zone={zone} action={action} rule={rule} disabled={missing !== null} />
        <div className={classes.pair}>
          <TextInput
            label="Name"
            description="People meet it when they ask why an event is not counted."
            value={draft.name}
            onChange={(e) => setDraft({ ...draft, name: e.currentTarget.value })}
            required
          />
          <TextInput
            label="Why"
            description="For those who ask in a year."
            value={draft.reason}
            onChange={(e) => setDraft({ ...draft, reason: e.currentTarget.value })}
          />
        </div>
        <FormError error={save.error} />
        <div className={classes.buttons}>
          <Button type="submit" loading={save.isPending} disabled={missing !== null || unnamed}>
            {rule ? 'Put the new version in force' : 'Put it in force'}
          </Button>
          <Button variant="subtle" onClick={done}>
            Cancel
          </Button>
        </div>
      </form>
    </Panel>
  );
}
