import { Button, Select, Stack, TextInput } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../../api/client';
import { projectsQuery } from '../../api/hooks';
import type { Project } from '../../api/types';
import { Code } from '../../ui/Code';
import { FormError } from '../login/FormError';
import { ownZone, zones } from '../setup/zones';

/** Makes a project; its secret key is shown here once and never again. */
export function NewProject({ onCreated }: { onCreated: (project: Project) => void }) {
  const client = useQueryClient();
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [made, setMade] = useState<Project | null>(null);
  const form = useForm({
    initialValues: { name: '', timezone: ownZone() },
    validate: { name: isNotEmpty('Give the project a name, such as the product.') },
  });

  const submit = form.onSubmit(async ({ name, timezone }) => {
    setBusy(true);
    setError(null);
    try {
      const project = await api.createProject({ name: name.trim(), timezone });
      await client.invalidateQueries(projectsQuery);
      if (project.secret_key) setMade(project);
      else onCreated(project);
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  });

  if (made?.secret_key) {
    return (
      <Stack gap="sm">
        <p>
          The secret key of {made.name} reads and manages the project. It is shown only now: put it where you
          keep secrets.
        </p>
        <Code text={made.secret_key} label="Secret key" wrap />
        <Button onClick={() => onCreated(made)}>Continue</Button>
      </Stack>
    );
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        <FormError error={error} />
        <TextInput
          label="Project name"
          placeholder="Music app"
          required
          data-autofocus
          {...form.getInputProps('name')}
        />
        <Select
          label="Time zone"
          description="Where its days begin and end."
          data={zones()}
          searchable
          allowDeselect={false}
          {...form.getInputProps('timezone')}
        />
        <Button type="submit" loading={busy} mt="xs">
          Create project
        </Button>
      </Stack>
    </form>
  );
}
