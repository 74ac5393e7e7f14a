import { Button } from '@mantine/core';
import { useState } from 'react';
import { useUnowned } from '../../api/books';
import { useDeadLetters } from '../../api/hooks';
import type { DeadLetter } from '../../api/types';
import { count } from '../../ui/format/number';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import rows from '../events/events.module.css';
import { Letter, type Sent } from './Letter';
import classes from './ledger.module.css';
import { SentNote } from './SentNote';

interface Props {
  project: string;
  zone: string;
  dead: number;
}

/** What could not be understood: with its reason and its bytes, to be mended and tried again. */
export function DeadLetters({ project, zone, dead }: Props) {
  const list = useDeadLetters(project);
  const [sent, setSent] = useState<Sent[]>([]);
  const letters = list.data?.pages.flatMap((p) => p.dead) ?? [];
  return (
    <Panel
      title="Dead letters"
      note={
        dead > 0
          ? `${count(dead, 'record')} nobody could make sense of, newest first. Open one, mend it, and try it again.`
          : undefined
      }
      flush
    >
      {list.isPending && <Loading />}
      {list.isError && letters.length === 0 && (
        <Failed error={list.error} retry={() => void list.refetch()} />
      )}
      {list.isSuccess && letters.length === 0 && (
        <Empty title="No dead letters">Every record of this project that arrived could be understood.</Empty>
      )}
      <Letters {...{ project, zone, letters, sent, setSent, list }} />
    </Panel>
  );
}

/** Letters sent with a key that no project has: acknowledged, so never dropped, but nobody's yet. */
export function UnownedLetters({ project, zone }: Omit<Props, 'dead'>) {
  const list = useUnowned();
  const [sent, setSent] = useState<Sent[]>([]);
  const letters = list.data?.pages.flatMap((p) => p.dead) ?? [];
  if (letters.length === 0 && sent.length === 0) return null;
  return (
    <Panel
      title="Letters without an owner"
      note="Sent to this server with a key that no project has, such as a mistyped one. Try one again here, and it becomes an event of this project."
      flush
    >
      <Letters {...{ project, zone, letters, sent, setSent, list }} unowned />
    </Panel>
  );
}

interface ListProps {
  project: string;
  zone: string;
  letters: DeadLetter[];
  unowned?: boolean;
  sent: Sent[];
  setSent: (sent: Sent[]) => void;
  list: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };
}

function Letters({ project, zone, letters, unowned = false, sent, setSent, list }: ListProps) {
  const waiting = new Set(sent.map((s) => s.position));
  return (
    <>
      {sent.map((s) => (
        <SentNote
          key={s.position}
          project={project}
          sent={s}
          unowned={unowned}
          gone={!letters.some((d) => d.position === s.position)}
        />
      ))}
      <ul className={rows.rows}>
        {letters
          .filter((d) => !waiting.has(d.position))
          .map((d) => (
            <Letter
              key={d.position}
              project={project}
              letter={d}
              zone={zone}
              unowned={unowned}
              onSent={(s) => setSent([s, ...sent.filter((o) => o.position !== s.position)])}
            />
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
    </>
  );
}
