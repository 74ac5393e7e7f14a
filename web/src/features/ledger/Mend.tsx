import { Button, Textarea } from '@mantine/core';
import { useState } from 'react';
import { books, useChanging } from '../../api/books';
import type { DeadLetter } from '../../api/types';
import { FormError } from '../login/FormError';
import type { Sent } from './Letter';
import classes from './ledger.module.css';
import { fault, readable } from './mending';

interface Props {
  project: string;
  letter: DeadLetter;
  unowned: boolean;
  onSent: (sent: Sent) => void;
}

/** Edits the bytes and tries them again. The letter stays what it is until the mended one has been understood. */
export function Mend({ project, letter, unowned, onSent }: Props) {
  const [body, setBody] = useState(() => readable(letter.body));
  const redrive = useChanging(project, (dry_run: boolean) =>
    books.redrive(project, unowned, { items: [{ position: letter.position, body }], dry_run }),
  );
  const wrong = fault(body);
  const checked = redrive.data?.letters[0];
  const send = (dry_run: boolean) =>
    redrive.mutate(dry_run, {
      onSuccess: (done) => {
        const [first] = done.letters;
        if (!dry_run && first && !first.error) {
          onSent({ position: letter.position, event: first.event ?? 'the event' });
        }
      },
    });
  return (
    <div className={classes.mend}>
      <Textarea
        label="The record as it was received, to be mended"
        autosize
        minRows={3}
        maxRows={20}
        value={body}
        onChange={(e) => {
          setBody(e.currentTarget.value);
          redrive.reset();
        }}
        error={wrong}
        spellCheck={false}
        classNames={{ input: classes.bytes }}
      />
      <div aria-live="polite">
        {checked?.error && <p className={classes.wrong}>It would still be a dead letter: {checked.error}</p>}
        {checked && !checked.error && redrive.data?.dry_run && (
          <p>It can be understood now: an event named “{checked.event}”.</p>
        )}
      </div>
      <FormError error={redrive.error} />
      <div className={classes.doing}>
        <Button
          size="xs"
          disabled={wrong !== null}
          loading={redrive.isPending && redrive.variables === false}
          onClick={() => send(false)}
        >
          {unowned ? `Try again as an event of ${project}` : 'Try again'}
        </Button>
        <Button
          size="xs"
          variant="default"
          disabled={wrong !== null}
          loading={redrive.isPending && redrive.variables === true}
          onClick={() => send(true)}
        >
          Only check
        </Button>
        <Button size="xs" variant="subtle" onClick={() => setBody(readable(letter.body))}>
          As it was
        </Button>
      </div>
    </div>
  );
}
