import { Button, NumberInput, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { type JobScope, type NewJob, operate, useDoing } from '../../api/operate';
import { number } from '../../ui/format/number';
import { Panel } from '../../ui/Panel';
import { Failed } from '../../ui/states';
import { KINDS } from './kinds';
import classes from './Operate.module.css';

interface Props {
  initial?: string;
  done: () => void;
}

/** Asks what, why and where; shows what it would touch; wants the environment's name typed where that matters. */
export function NewJobForm({ initial, done }: Props) {
  const [kind, setKind] = useState(KINDS.find((k) => k.kind === initial)?.kind ?? 'replay');
  const [reason, setReason] = useState('');
  const [lane, setLane] = useState('live');
  const [partition, setPartition] = useState<number | string>(0);
  const [from, setFrom] = useState<number | string>('');
  const [to, setTo] = useState<number | string>('');
  const [scope, setScope] = useState<JobScope | null>(null);
  const [typed, setTyped] = useState('');
  const known = KINDS.find((k) => k.kind === kind) ?? KINDS[0];
  const look = useDoing(operate.scope);
  const start = useDoing(operate.start);

  const ranged = known?.scope !== 'none' && from !== '' && to !== '';
  const spec = ranged
    ? { ranges: [{ lane, partition: Number(partition), from: Number(from), to: Number(to) }] }
    : {};
  const job = (dry_run: boolean): NewJob => ({
    kind,
    reason,
    dry_run,
    spec: spec as never,
    confirm: scope?.destructive && typed ? typed : null,
  });
  const change =
    <T,>(set: (v: T) => void) =>
    (v: T) => {
      set(v);
      setScope(null);
      setTyped('');
    };
  const incomplete = known?.needsRange && !ranged;
  const mustType = scope?.destructive && scope.protected && typed !== scope.environment;

  return (
    <Panel title="New job">
      <form
        className={classes.form}
        onSubmit={(e) => {
          e.preventDefault();
          if (!scope) look.mutate(job(false), { onSuccess: setScope });
          else start.mutate(job(false), { onSuccess: done });
        }}
      >
        <Select
          label="What"
          data={KINDS.map((k) => ({ value: k.kind, label: k.name }))}
          value={kind}
          onChange={(v) => v && change(setKind)(v)}
          description={known?.what}
          allowDeselect={false}
        />
        {known?.scope !== 'none' && (
          <fieldset className={classes.range}>
            <legend>Which part of the log{known?.needsRange ? '' : ' (empty: all of it)'}</legend>
            <Select
              label="Lane"
              data={['live', 'bulk']}
              value={lane}
              onChange={(v) => v && change(setLane)(v)}
              allowDeselect={false}
            />
            <NumberInput label="Partition" min={0} value={partition} onChange={change(setPartition)} />
            <NumberInput label="From offset" min={0} value={from} onChange={change(setFrom)} />
            <NumberInput label="To offset (not included)" min={0} value={to} onChange={change(setTo)} />
          </fieldset>
        )}
        <TextInput
          label="Why"
          description="Goes into the books and the audit trail"
          value={reason}
          onChange={(e) => setReason(e.currentTarget.value)}
          required
        />
        {scope && <Touches scope={scope} typed={typed} type={setTyped} />}
        {look.isError && <Failed error={look.error} what="This cannot be done" />}
        {start.isError && <Failed error={start.error} what="It was not started" />}
        <div className={classes.buttons}>
          <Button
            type="submit"
            loading={look.isPending || start.isPending}
            disabled={Boolean(incomplete || reason === '' || mustType || scope?.problem)}
          >
            {scope ? 'Start' : 'Show what it would touch'}
          </Button>
          <Button
            variant="default"
            disabled={Boolean(incomplete || reason === '')}
            onClick={() => start.mutate(job(true), { onSuccess: done })}
          >
            Dry run
          </Button>
          <Button variant="subtle" onClick={done}>
            Close
          </Button>
        </div>
      </form>
    </Panel>
  );
}

function Touches({ scope, typed, type }: { scope: JobScope; typed: string; type: (v: string) => void }) {
  return (
    <div className={classes.touches} role="status">
      <p>
        Environment <strong>{scope.environment}</strong>, {scope.projects.join(', ') || 'no project'}:{' '}
        <strong>{number(scope.events)}</strong> records.
      </p>
      {scope.problem && <p className={classes.wrong}>{scope.problem}</p>}
      {scope.destructive && scope.protected && (
        <TextInput
          label={`Type “${scope.environment}” to confirm`}
          value={typed}
          onChange={(e) => type(e.currentTarget.value)}
          autoComplete="off"
        />
      )}
    </div>
  );
}
