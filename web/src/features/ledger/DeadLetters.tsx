import { Button } from '@mantine/core';
import { useId, useState } from 'react';
import { useDeadLetters } from '../../api/hooks';
import type { DeadLetter, Json } from '../../api/types';
import { Code } from '../../ui/Code';
import { count, number } from '../../ui/format/number';
import { instant } from '../../ui/format/time';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import rows from '../events/events.module.css';
import classes from './ledger.module.css';

interface Props {
  project: string;
  zone: string;
  dead: number;
}

/** What could not be understood: with its reason and its bytes, so that the sender can be mended. */
export function DeadLetters({ project, zone, dead }: Props) {
  const list = useDeadLetters(project);
  const letters = list.data?.pages.flatMap((p) => p.dead) ?? [];
  return (
    <Panel
      title="Dead letters"
      note={dead > 0 ? `${count(dead, 'record')} kept with reason and bytes, newest first.` : undefined}
      flush
    >
      {list.isPending && <Loading />}
      {list.isError && letters.length === 0 && (
        <Failed error={list.error} retry={() => void list.refetch()} />
      )}
      {list.isSuccess && letters.length === 0 && (
        <Empty title="No dead letters">Every record that arrived could be understood.</Empty>
      )}
      <ul className={rows.rows}>
        {letters.map((d) => (
          <Letter key={`${d.lane}/${d.partition}/${d.offset}`} letter={d} zone={zone} />
        ))}
      </ul>
      {list.hasNextPage && (
        <div className={classes.more}>
          <Button
            variant="default"
            size="xs"
            loading={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
          >
            Show older dead letters
          </Button>
        </div>
      )}
    </Panel>
  );
}

function Letter({ letter, zone }: { letter: DeadLetter; zone: string }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <li className={rows.row}>
      <div className={rows.line}>
        <button
          type="button"
          className={rows.toggle}
          aria-expanded={open}
          aria-controls={open ? id : undefined}
          onClick={() => setOpen((o) => !o)}
        >
          <span className={rows.chevron} data-open={open || undefined}>
            <Icon name="chevron" size={13} />
          </span>
          <span className={classes.reason}>{letter.reason.code}</span>
          <span className={rows.glance}>{letter.reason.message}</span>
        </button>
        <time className={rows.time} dateTime={letter.received_at}>
          {instant(letter.received_at, zone)}
        </time>
      </div>
      {open && (
        <div id={id} className={rows.details}>
          <p className={classes.message}>{letter.reason.message}</p>
          <p className="tm-dim">
            {letter.lane} {letter.partition}, offset {number(letter.offset)}
          </p>
          <Code text={bodyText(letter.body)} label="Body as it was received" wrap />
        </div>
      )}
    </li>
  );
}

function bodyText(body: Json): string {
  return typeof body === 'string' ? body : JSON.stringify(body, null, 2);
}
