import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import {
  type Alert,
  type Finding,
  operate,
  useAlerts,
  useDoing,
  useFindings,
  useSummary,
} from '../../api/operate';
import { Ago } from '../../ui/Ago';
import { number } from '../../ui/format/number';
import { Icon } from '../../ui/icons';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Failed, Loading } from '../../ui/states';
import classes from './Operate.module.css';
import { ZONE } from './zone';

/** What is wrong now, where, since when, and what to do about it. */
export function ProblemsPage() {
  const findings = useFindings();
  return (
    <Page
      title="Problems"
      lead="Found by monitors that look at log, books, files and processes every few seconds, independently of each other."
    >
      <Whole />
      {findings.isPending && <Loading what="Looking" />}
      {findings.isError && !findings.data && (
        <Panel>
          <Failed
            error={findings.error}
            retry={() => void findings.refetch()}
            what="Problems could not be read"
          />
        </Panel>
      )}
      {findings.data && <Findings findings={findings.data} />}
      <Alerts />
    </Page>
  );
}

function Whole() {
  const { data } = useSummary();
  if (!data?.identity) return null;
  const i = data.identity;
  const parts: [string, number | null | undefined][] = [
    ['acknowledged', i.acknowledged],
    ['stored', i.visible],
    ['duplicates', i.duplicate],
    ['filtered', i.filtered],
    ['dead letters', i.dead],
    ['pending', i.pending],
  ];
  return (
    <Panel
      title="The books of all projects"
      note={i.balanced ? 'They balance.' : 'They do not balance: see below.'}
    >
      <dl className={classes.figures}>
        {parts.map(([name, n]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{number(n ?? 0)}</dd>
          </div>
        ))}
      </dl>
      {data.skipped.length > 0 && (
        <p className={classes.note}>
          <Icon name="warning" size={15} /> {data.skipped.length} skipped ranges wait to be replayed.{' '}
          <Link to="/operate/jobs" search={{ kind: 'replay' }}>
            Replay them
          </Link>
        </p>
      )}
    </Panel>
  );
}

function Findings({ findings }: { findings: Finding[] }) {
  return (
    <Panel title="Now" flush>
      {findings.length === 0 && (
        <p className={classes.calm}>
          <Icon name="check" /> Nothing is wrong.
        </p>
      )}
      <ul className={classes.list}>
        {findings.map((f) => (
          <li key={f.id} className={classes.item} data-severity={f.severity}>
            <div className={classes.itemHead}>
              <h3>{f.title}</h3>
              <span className={classes.tag}>{f.severity}</span>
            </div>
            <p>{f.detail}</p>
            <p className={classes.meta}>
              {f.component}, since <Ago at={f.since} zone={ZONE} /> · what to do:{' '}
              <code>docs/{f.runbook}</code>
            </p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Alerts() {
  const { data } = useAlerts();
  const acknowledge = useDoing(operate.acknowledge);
  if (!data || data.length === 0) return null;
  return (
    <Panel
      title="Incidents"
      note="Opened and closed by the monitors. Who acknowledges takes care of it; escalation stops."
      flush
    >
      <ul className={classes.list}>
        {data.map((a) => (
          <IncidentRow
            key={a.id}
            alert={a}
            acknowledge={() => acknowledge.mutate(a.id)}
            busy={acknowledge.isPending}
          />
        ))}
      </ul>
    </Panel>
  );
}

interface RowProps {
  alert: Alert;
  acknowledge: () => void;
  busy: boolean;
}

export function IncidentRow({ alert: a, acknowledge, busy }: RowProps) {
  return (
    <li className={classes.item} data-severity={a.resolved_at ? 'over' : a.severity}>
      <div className={classes.itemHead}>
        <h3>
          <Link to="/operate/incidents/$incident" params={{ incident: a.id }}>
            {a.title}
          </Link>
        </h3>
        <span className={classes.tag}>{a.status}</span>
      </div>
      <p className={classes.meta}>
        opened <Ago at={a.opened_at} zone={ZONE} />
        {a.resolved_at && (
          <>
            , resolved <Ago at={a.resolved_at} zone={ZONE} />
          </>
        )}
        {a.acknowledged_by && `, taken by ${a.acknowledged_by}`}
        {a.deliveries.length > 0 && `, ${a.deliveries.length} alerts sent`}
      </p>
      {!a.resolved_at && !a.acknowledged_at && (
        <Button size="xs" variant="default" onClick={acknowledge} loading={busy}>
          Acknowledge
        </Button>
      )}
    </li>
  );
}
