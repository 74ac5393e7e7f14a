import { getRouteApi, Link } from '@tanstack/react-router';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import { IncidentBody } from './Incidents';
import { StatusFrame, useStatus } from './StatusPage';

const route = getRouteApi('/status/incidents/$incident');
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** One incident, under an address that can be shared. */
export function IncidentPage() {
  const { incident } = route.useParams();
  const { data, isPending, isError, error, refetch } = useStatus();
  const found = data?.incidents.find((i) => i.id === incident);
  return (
    <StatusFrame title={data?.name ?? 'Status'}>
      <p>
        <Link to="/status">All of the status page</Link>
      </p>
      <Panel>
        {isPending && <Loading what="Looking it up" />}
        {isError && !data && <Failed error={error} retry={() => void refetch()} />}
        {data && !found && (
          <Empty title="No such incident">It may be older than the time for which incidents are kept.</Empty>
        )}
        {found && <IncidentBody incident={found} zone={ZONE} />}
      </Panel>
    </StatusFrame>
  );
}
