import { Button } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { operate, useAlerts, useDoing } from '../../api/operate';
import { instant } from '../../ui/format/time';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import classes from './Operate.module.css';
import { ZONE } from './zone';

const route = getRouteApi('/operate/incidents/$incident');

/** One incident: what was found, who was told, and the button that says "I am on it". Alerts link here. */
export function IncidentPage() {
  const { incident } = route.useParams();
  const { data, isPending, isError, error, refetch } = useAlerts();
  const acknowledge = useDoing(operate.acknowledge);
  const found = data?.find((a) => a.id === incident);
  return (
    <Page
      title={found?.title ?? 'Incident'}
      lead={found && `${found.status}, opened ${instant(found.opened_at, ZONE)}`}
      actions={
        found &&
        !found.acknowledged_at &&
        !found.resolved_at && (
          <Button onClick={() => acknowledge.mutate(found.id)} loading={acknowledge.isPending}>
            Acknowledge
          </Button>
        )
      }
    >
      {isPending && <Loading />}
      {isError && !data && <Failed error={error} retry={() => void refetch()} />}
      {data && !found && <Empty title="No such incident" />}
      {acknowledge.isError && <Failed error={acknowledge.error} what="It could not be acknowledged" />}
      {found && (
        <>
          {found.acknowledged_by && (
            <p className={classes.note}>
              Taken by {found.acknowledged_by}, {instant(found.acknowledged_at, ZONE)}.
            </p>
          )}
          <Panel title="Who was told" flush>
            {found.deliveries.length === 0 && (
              <p className={classes.calm}>Nobody yet: no alert channel is set up, or it is not bad enough.</p>
            )}
            <ul className={classes.list}>
              {found.deliveries.map((d) => (
                <li key={`${d.channel}${d.at}${d.reason}`} className={classes.item}>
                  <div className={classes.itemHead}>
                    <h3>{d.channel}</h3>
                    <span className={classes.tag}>{d.state}</span>
                  </div>
                  <p className={classes.meta}>
                    {d.reason}, {instant(d.at, ZONE)}
                    {d.error && `: ${d.error}`}
                  </p>
                </li>
              ))}
            </ul>
          </Panel>
        </>
      )}
    </Page>
  );
}
