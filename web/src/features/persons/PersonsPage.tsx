import { Button, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { usePersons, useZone } from '../../api/hooks';
import type { PersonItem } from '../../api/types';
import { Ago } from '../../ui/Ago';
import { DataTable } from '../../ui/DataTable';
import { number } from '../../ui/format/number';
import { Icon } from '../../ui/icons';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import { Erasures } from './Erasures';
import { personName, short } from './naming';
import classes from './persons.module.css';

const route = getRouteApi('/p/$project/persons');

export function PersonsPage() {
  const { project } = route.useParams();
  const { q = '' } = route.useSearch();
  const navigate = useNavigate();
  const zone = useZone(project);
  const [typed, setTyped] = useState(q);
  const [settled] = useDebouncedValue(typed, 250);

  useEffect(() => {
    if (settled === q) return;
    void navigate({
      to: '/p/$project/persons',
      params: { project },
      search: settled ? { q: settled } : {},
      replace: true,
    });
  }, [settled, q, navigate, project]);

  return (
    <Page
      title="People"
      lead="Everyone who did something. What a person did before signing in belongs to them."
      actions={
        <TextInput
          className={classes.search}
          type="search"
          aria-label="Search people"
          placeholder="User id, device id, e-mail or name"
          leftSection={<Icon name="search" size={16} />}
          value={typed}
          onChange={(e) => setTyped(e.currentTarget.value)}
        />
      }
    >
      <div className={classes.stack}>
        <PersonList project={project} q={q} />
        <Erasures project={project} zone={zone} />
      </div>
    </Page>
  );
}

function PersonList({ project, q }: { project: string; q: string }) {
  const zone = useZone(project);
  const list = usePersons(project, q);
  const persons = list.data?.pages.flatMap((p) => p.persons) ?? [];
  if (list.isPending) {
    return (
      <Panel>
        <Loading what="Looking for people" />
      </Panel>
    );
  }
  if (list.isError && persons.length === 0) {
    return (
      <Panel>
        <Failed error={list.error} retry={() => void list.refetch()} />
      </Panel>
    );
  }
  if (persons.length === 0) {
    return (
      <Panel>
        <Empty title={q ? `Nobody matches “${q}”` : 'Nobody yet'}>
          {q
            ? 'Search by a part of a user id, a device id, an e-mail address or a name.'
            : 'People appear with their first event.'}
        </Empty>
      </Panel>
    );
  }
  return (
    <Panel flush busy={list.isPlaceholderData}>
      <DataTable
        caption="People"
        rows={persons}
        rowKey={(p) => p.person}
        columns={[
          {
            key: 'name',
            head: 'Person',
            heading: true,
            cell: (p: PersonItem) => (
              <Link
                to="/p/$project/persons/$person"
                params={{ project, person: p.person }}
                className={classes.person}
              >
                <Initial person={p} />
                {personName(p)}
              </Link>
            ),
          },
          { key: 'user', head: 'User ids', wide: true, cell: (p) => <Ids ids={p.user_ids} /> },
          { key: 'device', head: 'Devices', wide: true, cell: (p) => <Ids ids={p.device_ids} /> },
          {
            key: 'first',
            head: 'First seen',
            wide: true,
            cell: (p) => <Ago at={p.first_seen} zone={zone} />,
          },
          { key: 'last', head: 'Last seen', cell: (p) => <Ago at={p.last_seen} zone={zone} /> },
          { key: 'events', head: 'Events', numeric: true, cell: (p) => number(p.events) },
        ]}
      />
      {list.hasNextPage && (
        <div className={classes.more}>
          <Button
            variant="default"
            loading={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
          >
            Show more people
          </Button>
        </div>
      )}
    </Panel>
  );
}

function Initial({ person }: { person: PersonItem }) {
  const known = person.user_ids.length > 0;
  return (
    <span className={classes.initial} data-known={known || undefined} aria-hidden="true">
      {known ? personName(person).slice(0, 1).toUpperCase() : '?'}
    </span>
  );
}

function Ids({ ids }: { ids: string[] }) {
  const first = ids[0];
  if (!first) return <span className="tm-dim">–</span>;
  return (
    <span title={ids.join('\n')}>
      <code className={classes.id}>{short(first)}</code>
      {ids.length > 1 && <span className="tm-dim"> +{ids.length - 1}</span>}
    </span>
  );
}
