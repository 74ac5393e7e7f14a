import { Button, Modal, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { books, useChanging } from '../../api/books';
import { useSettings } from '../../api/operate';
import type { PersonItem } from '../../api/types';
import { count } from '../../ui/format/number';
import { FormError } from '../login/FormError';
import { personName } from './naming';
import classes from './persons.module.css';

interface Props {
  project: string;
  person: PersonItem;
}

/** The button that forgets a person, behind the name typed by hand. */
export function ErasePerson({ project, person }: Props) {
  const [opened, modal] = useDisclosure(false);
  return (
    <>
      <Button variant="light" color="pen" size="xs" onClick={modal.open}>
        Erase this person
      </Button>
      <Modal
        opened={opened}
        onClose={modal.close}
        title={`Erase ${personName(person)}`}
        size="lg"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <EraseForm project={project} person={person} close={modal.close} />
      </Modal>
    </>
  );
}

function EraseForm({ project, person, close }: Props & { close: () => void }) {
  const navigate = useNavigate();
  const [typed, setTyped] = useState('');
  const [reason, setReason] = useState('');
  const [environment, setEnvironment] = useState('');
  const settings = useSettings();
  const erase = useChanging(project, (body: { reason: string; confirm: string | null }) =>
    books.erase(project, person.person, body),
  );
  const name = personName(person);
  const guarded = settings.data?.protected ? settings.data.environment : null;
  const ready =
    typed.trim() === name && reason.trim() !== '' && (guarded === null || environment === guarded);
  return (
    <form
      className={classes.erase}
      onSubmit={(e) => {
        e.preventDefault();
        if (!ready) return;
        erase.mutate(
          { reason: reason.trim(), confirm: guarded ? environment : null },
          { onSuccess: () => void navigate({ to: '/p/$project/persons', params: { project }, search: {} }) },
        );
      }}
    >
      <ul className={classes.consequences}>
        <li>
          Everything stored of{' '}
          {person.user_ids.length + person.device_ids.length === 1 ? 'this id' : 'these ids'} disappears from
          charts, lists and searches within seconds
          {person.events === undefined ? '' : `: ${count(person.events, 'event')}`}.
        </li>
        <li>For seven days it can be taken back, on the People page.</li>
        <li>
          After that it is removed from the files too, and nothing brings it back, no replay and no restore.
        </li>
        <li>Events of the same ids that arrive later are counted as those of somebody new.</li>
      </ul>
      <TextInput
        label="Why"
        description="Kept with the erasure: a request under article 17, a ticket."
        value={reason}
        onChange={(e) => setReason(e.currentTarget.value)}
        required
        data-autofocus
      />
      <TextInput
        label={`Type “${name}” to confirm`}
        value={typed}
        onChange={(e) => setTyped(e.currentTarget.value)}
        autoComplete="off"
        spellCheck={false}
      />
      {guarded !== null && (
        <TextInput
          label={`Type “${guarded}”, the name of this protected environment`}
          value={environment}
          onChange={(e) => setEnvironment(e.currentTarget.value)}
          autoComplete="off"
        />
      )}
      <FormError error={erase.error} />
      <div className={classes.doing}>
        <Button type="submit" color="pen" disabled={!ready} loading={erase.isPending}>
          Erase
        </Button>
        <Button variant="subtle" onClick={close}>
          Keep
        </Button>
      </div>
    </form>
  );
}
