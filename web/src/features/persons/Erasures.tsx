import { Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { books, type Erasure, useChanging, useErasures } from '../../api/books';
import { useNow } from '../../ui/Ago';
import { DataTable } from '../../ui/DataTable';
import { instant } from '../../ui/format/time';
import { Panel } from '../../ui/Panel';
import { Failed } from '../../ui/states';
import { FormError } from '../login/FormError';
import { erasureText, undoable } from './erasing';
import classes from './persons.module.css';

interface Props {
  project: string;
  zone: string;
}

/** Who was forgotten, when, why, and until when that can be taken back. Nothing is shown while nobody was. */
export function Erasures({ project, zone }: Props) {
  const list = useErasures(project);
  const now = useNow(30_000);
  const client = useQueryClient();
  const states = list.data?.map((e) => `${e.id}${e.state}`).join();
  // Who is listed depends on who is erased, and follows the wish by a moment.
  useEffect(() => {
    if (!states) return;
    const look = () => void client.invalidateQueries({ queryKey: [project, 'persons'] });
    const timers = [setTimeout(look, 300), setTimeout(look, 3_000)];
    return () => timers.forEach(clearTimeout);
  }, [states, client, project]);
  const undo = useChanging(project, (erasure: number) => books.undoErasure(project, erasure));
  if (list.isError && !list.data) {
    return (
      <Panel title="Erased people">
        <Failed error={list.error} retry={() => void list.refetch()} what="Erasures could not be read" />
      </Panel>
    );
  }
  if (!list.data?.length) return null;
  return (
    <Panel
      title="Erased people"
      note="Hidden at once; removed from the files after seven days, in which it can be taken back."
      flush
    >
      {undo.error && (
        <div className={classes.inset}>
          <FormError error={undo.error} />
        </div>
      )}
      <DataTable
        caption="Erased people"
        rows={list.data}
        rowKey={(e) => e.id}
        columns={[
          { key: 'ids', head: 'Ids', heading: true, cell: (e) => <Subjects erasure={e} /> },
          { key: 'state', head: 'State', cell: (e) => erasureText(e) },
          { key: 'made', head: 'Asked for', cell: (e) => instant(e.made_at, zone) },
          { key: 'by', head: 'By', wide: true, cell: (e) => e.by.replace(/^user:/, '') },
          { key: 'why', head: 'Why', cell: (e) => e.reason },
          {
            key: 'undo',
            head: 'Take back',
            cell: (e) =>
              undoable(e, now) ? (
                <Button
                  size="compact-sm"
                  variant="default"
                  loading={undo.isPending && undo.variables === e.id}
                  onClick={() => undo.mutate(e.id)}
                  title={`Possible until ${instant(e.undo_until, zone)}`}
                  aria-label={`Take back the erasure of ${e.subjects[0]?.id ?? `number ${e.id}`}`}
                >
                  Take back
                </Button>
              ) : (
                <span className="tm-dim">–</span>
              ),
          },
        ]}
      />
    </Panel>
  );
}

function Subjects({ erasure }: { erasure: Erasure }) {
  return (
    <span className={classes.subjects}>
      {erasure.subjects.map((s) => (
        <code key={`${s.kind}${s.id}`} className={classes.id} title={s.kind}>
          {s.id}
        </code>
      ))}
    </span>
  );
}
