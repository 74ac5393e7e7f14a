import { Button, Divider, PasswordInput, Select, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { api } from '../../api/client';
import { useForget, useSession } from '../../api/hooks';
import type { Project } from '../../api/types';
import { FormError } from '../login/FormError';
import { ownZone, zones } from './zones';

interface Props {
  code: string;
  /** Called with the project that was made, if one was; only now does it carry its secret key. */
  onDone: (project: Project | null) => void;
}

const PASSWORD_MIN = 10;

export function SetupForm({ code, onDone }: Props) {
  const { data: session } = useSession();
  const forget = useForget();
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const withProject = !session?.demo;
  const form = useForm({
    initialValues: { code, name: '', email: '', password: '', project: '', timezone: ownZone() },
    validate: {
      code: (v) =>
        tidyCode(v).length < 8 ? 'Enter the code that the server printed when it started.' : null,
      email: (v) => (/^\S+@\S+$/.test(v.trim()) ? null : 'Enter an e-mail address, such as ana@example.com.'),
      password: (v) => (v.length < PASSWORD_MIN ? `Use at least ${PASSWORD_MIN} characters.` : null),
      project: (v) =>
        withProject && v.trim() === '' ? 'Give the project a name, such as the product.' : null,
    },
  });

  const submit = form.onSubmit(async (v) => {
    setBusy(true);
    setError(null);
    const project = withProject ? { name: v.project.trim(), timezone: v.timezone } : undefined;
    try {
      const done = await api.setup({
        code: v.code.trim(),
        email: v.email.trim(),
        password: v.password,
        name: v.name.trim() || undefined,
        project,
      });
      await forget();
      onDone(done.project ?? null);
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  });

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        <FormError error={error} />
        <TextInput
          label="Set-up code"
          description="Printed in the terminal where tallymark serve runs. It proves that this server is yours."
          placeholder="XXXX-XXXX-XXXX"
          autoComplete="off"
          spellCheck={false}
          required
          autoFocus
          styles={{ input: { fontFamily: 'var(--tm-mono)', letterSpacing: '0.08em' } }}
          {...form.getInputProps('code')}
        />
        <Divider label="Your account" labelPosition="left" mt="xs" />
        <TextInput label="Name" autoComplete="name" {...form.getInputProps('name')} />
        <TextInput
          label="E-mail"
          type="email"
          autoComplete="username"
          required
          {...form.getInputProps('email')}
        />
        <PasswordInput
          label="Password"
          description={`At least ${PASSWORD_MIN} characters.`}
          autoComplete="new-password"
          required
          {...form.getInputProps('password')}
        />
        {withProject && (
          <>
            <Divider label="Your first project" labelPosition="left" mt="xs" />
            <TextInput
              label="Project name"
              placeholder="Music app"
              required
              {...form.getInputProps('project')}
            />
            <Select
              label="Time zone"
              description="Where its days begin and end."
              data={zones()}
              searchable
              allowDeselect={false}
              {...form.getInputProps('timezone')}
            />
          </>
        )}
        <Button type="submit" loading={busy} size="md" mt="sm">
          Create account
        </Button>
      </Stack>
    </form>
  );
}

function tidyCode(code: string): string {
  return code.replace(/[^a-z0-9]/gi, '');
}
