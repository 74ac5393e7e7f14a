import { Link } from '@tanstack/react-router';
import type { PreviewName, PreviewReport, PreviewSample, RuleAction } from '../../api/books';
import type { Json } from '../../api/types';
import { DataTable } from '../../ui/DataTable';
import { count, number, percent, ratio } from '../../ui/format/number';
import { instant } from '../../ui/format/time';
import classes from './rules.module.css';

interface Props {
  project: string;
  zone: string;
  report: PreviewReport;
  action: RuleAction;
  period: string;
}

/** What would have been dropped: in one sentence, by name, with examples. */
export function PreviewResult({ project, zone, report, action, period }: Props) {
  const hit = report.names.filter((n) => n.filtered > 0);
  const spared = report.names.length - hit.length;
  return (
    <div className={classes.result}>
      <p className={classes.outcome}>{outcome(report, action, period)}</p>
      {report.unreadable > 0 && (
        <p className="tm-dim">
          {count(report.unreadable, 'record')} could not be read any more and are left out.
        </p>
      )}
      {hit.length > 0 && (
        <DataTable
          caption="What would be dropped, by event"
          rows={hit}
          rowKey={(n) => n.event}
          columns={[
            { key: 'event', head: 'Event', heading: true, cell: (n) => n.event },
            { key: 'dropped', head: 'Would be dropped', numeric: true, cell: (n) => number(n.filtered) },
            { key: 'of', head: 'Of', numeric: true, cell: (n) => number(n.examined) },
            {
              key: 'share',
              head: 'Share',
              numeric: true,
              cell: (n) => percent(ratio(n.filtered, n.examined)),
            },
          ]}
        />
      )}
      {hit.length > 0 && spared > 0 && (
        <p className="tm-dim">{count(spared, 'other event name')} would not be touched.</p>
      )}
      {hit.length > 0 && <Samples project={project} zone={zone} names={hit} />}
    </div>
  );
}

function outcome(report: PreviewReport, action: RuleAction, period: string): string {
  const seen = period === 'everything' ? 'that were received' : `received in the last ${period}`;
  const of = `${count(report.examined, 'event')} ${seen}`;
  if (report.examined === 0)
    return `No event was received in the last ${period}: there is nothing to try it on.`;
  if (action.type === 'properties') {
    return `None of the ${of} would be dropped; they would only be stored with fewer properties.`;
  }
  if (report.filtered === 0) return `None of the ${of} would be dropped.`;
  return `${number(report.filtered)} of the ${of} would be dropped (${percent(ratio(report.filtered, report.examined))}).`;
}

function Samples({ project, zone, names }: { project: string; zone: string; names: PreviewName[] }) {
  const samples = names.flatMap((n) => n.samples).slice(0, 12);
  if (samples.length === 0) return null;
  return (
    <details className={classes.more}>
      <summary>Examples of what would be dropped</summary>
      <ul className={classes.samples}>
        {samples.map((s) => (
          <li key={positionText(s)}>
            <b>{s.event.name}</b>
            <span>{s.event.user_id ?? s.event.device_id ?? 'nobody'}</span>
            <span className="tm-dim">{instant(s.received_at, zone)}</span>
            <Link to="/p/$project/ledger" params={{ project }} search={{ event: positionText(s) }}>
              {positionText(s)}
            </Link>
            <code>{propertiesText(s.event.properties)}</code>
          </li>
        ))}
      </ul>
    </details>
  );
}

function positionText({ position: p }: PreviewSample): string {
  return `${p.lane}/${p.partition}@${p.offset}`;
}

function propertiesText(p: Json | undefined): string {
  return p ? JSON.stringify(p) : '';
}
