import { SegmentedControl, TagsInput } from '@mantine/core';
import { useMemo } from 'react';
import { useSchema } from '../../api/hooks';
import { Conditions } from '../charts/builder/Conditions';
import type { Draft, Kind } from './draft';
import classes from './rules.module.css';

interface Props {
  project: string;
  draft: Draft;
  onChange: (draft: Draft) => void;
}

const KINDS: { value: Kind; label: string }[] = [
  { value: 'drop', label: 'Drop events' },
  { value: 'block', label: 'Block ids' },
  { value: 'properties', label: 'Choose properties' },
];

/** What the rule does: the fields that belong to its kind. */
export function ActionFields({ project, draft, onChange }: Props) {
  const set = (part: Partial<Draft>) => onChange({ ...draft, ...part });
  return (
    <>
      <SegmentedControl
        aria-label="What the rule does"
        data={KINDS}
        value={draft.kind}
        onChange={(v) => set({ kind: v as Kind })}
        className={classes.kinds}
      />
      {draft.kind === 'drop' && <Drop project={project} draft={draft} set={set} />}
      {draft.kind === 'block' && <Block draft={draft} set={set} />}
      {draft.kind === 'properties' && <Properties project={project} draft={draft} set={set} />}
    </>
  );
}

interface PartProps {
  draft: Draft;
  set: (part: Partial<Draft>) => void;
}

function Drop({ project, draft, set }: PartProps & { project: string }) {
  const { data } = useSchema(project);
  const known = useMemo(() => (data?.events ?? []).filter((e) => !e.operation).map((e) => e.name), [data]);
  return (
    <>
      <TagsInput
        label="Events"
        description="Those with any of these names. None: all events that meet the conditions."
        data={known}
        value={draft.events}
        onChange={(events) => set({ events })}
        acceptValueOnBlur
        splitChars={['\n']}
        placeholder={draft.events.length ? undefined : 'Event name'}
      />
      <fieldset className={classes.conditions}>
        <legend>Only where all of these hold</legend>
        <Conditions
          project={project}
          what="Rule"
          conditions={draft.conditions}
          events={draft.events}
          eventOnly
          add="Add condition"
          onChange={(conditions) => set({ conditions })}
        />
      </fieldset>
    </>
  );
}

function Block({ draft, set }: PartProps) {
  const common = { acceptValueOnBlur: true, splitChars: [',', '\n', ' '] };
  return (
    <>
      <TagsInput
        {...common}
        label="User ids"
        description="Exactly as your product sends them."
        value={draft.users}
        onChange={(users) => set({ users })}
      />
      <TagsInput
        {...common}
        label="Device ids"
        description="Test devices, crawlers, monitors."
        value={draft.devices}
        onChange={(devices) => set({ devices })}
      />
    </>
  );
}

function Properties({ project, draft, set }: PartProps & { project: string }) {
  const { data } = useSchema(project);
  const known = useMemo(() => [...new Set((data?.properties ?? []).map((p) => p.name))], [data]);
  return (
    <>
      <SegmentedControl
        aria-label="Which properties are stored"
        data={[
          { value: 'deny', label: 'All but these' },
          { value: 'allow', label: 'Only these' },
        ]}
        value={draft.mode}
        onChange={(v) => set({ mode: v as Draft['mode'] })}
        className={classes.kinds}
      />
      <TagsInput
        label={draft.mode === 'deny' ? 'Properties that are not stored' : 'Properties that are stored'}
        description="Of events and of people. The events themselves are counted as before."
        data={known}
        value={draft.properties}
        onChange={(properties) => set({ properties })}
        acceptValueOnBlur
        splitChars={[',', '\n']}
      />
    </>
  );
}
