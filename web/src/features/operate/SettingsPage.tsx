import { Button, Checkbox, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { type ChangeSettings, operate, type Settings, useDoing, useSettings } from '../../api/operate';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Failed, Loading } from '../../ui/states';
import classes from './Operate.module.css';
import { PARTS, parsed } from './settings';

/** Settings of the instance. Secrets are shown as “set” and kept unless they are typed anew. */
export function SettingsPage() {
  const { data, isPending, isError, error, refetch } = useSettings();
  return (
    <Page title="Settings" lead="Of the whole instance; every change is in the audit trail.">
      {isPending && <Loading />}
      {isError && !data && (
        <Failed error={error} retry={() => void refetch()} what="Settings could not be read" />
      )}
      {data && <Form key={JSON.stringify(data)} settings={data} />}
    </Page>
  );
}

function Form({ settings }: { settings: Settings }) {
  const [environment, setEnvironment] = useState(settings.environment);
  const [guarded, setGuarded] = useState(settings.protected);
  const [confirm, setConfirm] = useState('');
  const [texts, setTexts] = useState<Record<string, string>>(() =>
    Object.fromEntries(PARTS.map((p) => [p.key, JSON.stringify(settings[p.key] ?? {}, null, 2)])),
  );
  const save = useDoing(operate.change);
  const problems = Object.fromEntries(PARTS.map((p) => [p.key, parsed(texts[p.key] ?? '').problem]));
  const moves = environment !== settings.environment || guarded !== settings.protected;

  const submit = () => {
    const body: ChangeSettings = {};
    if (environment !== settings.environment) body.environment = environment;
    if (guarded !== settings.protected) body.protected = guarded;
    if (moves) body.confirm = confirm;
    for (const p of PARTS) {
      const value = parsed(texts[p.key] ?? '').value;
      if (JSON.stringify(value) !== JSON.stringify(settings[p.key] ?? {})) body[p.key] = value as never;
    }
    save.mutate(body);
  };

  return (
    <form
      className={classes.form}
      onSubmit={(e) => {
        e.preventDefault();
        submit();
      }}
    >
      <Panel
        title="Environment"
        note="Destructive commands name it and, where it is protected, want it typed."
      >
        <div className={classes.form}>
          <TextInput
            label="Name"
            value={environment}
            onChange={(e) => setEnvironment(e.currentTarget.value)}
          />
          <Checkbox
            label="Protected: skipping, reprocessing and deleting need the name typed"
            checked={guarded}
            onChange={(e) => setGuarded(e.currentTarget.checked)}
          />
          {moves && (
            <TextInput
              label={`Type “${settings.environment}” to change this`}
              value={confirm}
              onChange={(e) => setConfirm(e.currentTarget.value)}
              autoComplete="off"
            />
          )}
        </div>
      </Panel>
      {PARTS.map((p) => (
        <Panel key={p.key} title={p.title} note={p.note}>
          <Textarea
            aria-label={p.title}
            autosize
            minRows={3}
            value={texts[p.key]}
            onChange={(e) => setTexts({ ...texts, [p.key]: e.currentTarget.value })}
            error={problems[p.key]}
            classNames={{ input: classes.code }}
            spellCheck={false}
          />
          <p className={classes.meta}>
            For example <code>{p.example}</code>
          </p>
        </Panel>
      ))}
      {save.isError && <Failed error={save.error} what="Nothing was changed" />}
      {save.isSuccess && <p role="status">Saved.</p>}
      <div className={classes.buttons}>
        <Button type="submit" loading={save.isPending} disabled={Object.values(problems).some(Boolean)}>
          Save
        </Button>
      </div>
    </form>
  );
}
