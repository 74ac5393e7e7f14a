import { Button } from '@mantine/core';
import { getRouteApi, Link } from '@tanstack/react-router';
import { books } from '../../api/books';
import { ApiError } from '../../api/errors';
import { usePerson, useZone } from '../../api/hooks';
import { count } from '../../ui/format/number';
import { instant } from '../../ui/format/time';
import { Icon } from '../../ui/icons';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import { PropertyList } from '../events/EventDetails';
import { ErasePerson } from './ErasePerson';
import { IdList } from './IdList';
import { Merges } from './Merges';
import { personName } from './naming';
import classes from './persons.module.css';
import { Timeline } from './Timeline';

const route = getRouteApi('/p/$project/persons/$person');

export function PersonPage() {
  const { project, person } = route.useParams();
  const zone = useZone(project);
  const found = usePerson(project, person);
  const trail = (
    <Link to="/p/$project/persons" params={{ project }} search={{}}>
      People
    </Link>
  );
  if (found.isPending) return <Loading tall what="Looking the person up" />;
  if (found.isError) {
    const unknown = found.error instanceof ApiError && found.error.status === 404;
    return (
      <Page title="Person" trail={trail}>
        <Panel>
          {unknown ? (
            <Empty title="There is no such person">
              “{person}” is no id of anyone in this project. It may belong to another project, or to somebody
              who was erased; erasures are listed under People.
            </Empty>
          ) : (
            <Failed error={found.error} retry={() => void found.refetch()} />
          )}
        </Panel>
      </Page>
    );
  }
  const p = found.data;
  return (
    <Page
      title={personName(p)}
      trail={trail}
      lead={`${p.user_ids.length ? 'Identified' : 'Anonymous'} · first seen ${instant(p.first_seen, zone)} · last seen ${instant(p.last_seen, zone)}${p.events === undefined ? '' : ` · ${count(p.events, 'event')}`}`}
    >
      <div className={classes.columns}>
        <div className={classes.stack}>
          <Panel title="Properties" note="As they are now. Charts use the value at the time of each event.">
            <PropertyList entries={Object.entries(p.properties ?? {})} />
          </Panel>
          <Panel title="Ids" note="All of these are this person.">
            <IdList title="User ids" ids={p.user_ids} />
            <IdList title="Devices" ids={p.device_ids} />
          </Panel>
          <Panel title="Merges" note="How these ids came together.">
            <Merges merges={p.merges} zone={zone} />
          </Panel>
          <Panel title="Privacy">
            <p className={classes.privacy}>
              What is known of this person, to hand over on request, or to be forgotten.
            </p>
            <div className={classes.doing}>
              <Button
                component="a"
                href={books.exportOf(project, p.person)}
                download={`${p.person}.ndjson`}
                variant="default"
                size="xs"
                leftSection={<Icon name="download" size={15} />}
              >
                Export everything
              </Button>
              <ErasePerson project={project} person={p} />
            </div>
          </Panel>
        </div>
        <Timeline project={project} person={person} zone={zone} />
      </div>
    </Page>
  );
}
