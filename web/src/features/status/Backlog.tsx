import type { StatusEta, StatusEtaRun } from '../../api/watch';
import { number } from '../../ui/format/number';
import { hourMinute, instant } from '../../ui/format/time';
import { Panel } from '../../ui/Panel';
import classes from './Status.module.css';
import { duration } from './span';

interface Props {
  now: StatusEta[];
  history: StatusEtaRun[];
  zone: string;
}

/** When charts will be up to date again, and how good such estimates were before. */
export function Backlog({ now, history, zone }: Props) {
  const past = history.filter((run) => run.drained_at && run.points.length > 0);
  if (now.length === 0 && past.length === 0) return null;
  return (
    <Panel
      title="Catching up"
      note="Estimated from the measured speed of the slowest partition, not from hopes; every estimate is kept with its error."
      flush
    >
      <ul className={classes.incidents}>
        {now.map((eta) => (
          <li key={eta.lane} className={classes.incident} data-impact="minor">
            <h3 className={classes.incidentTitle}>{eta.lane} lane is behind</h3>
            <p>
              {eta.backlog !== null && `${number(eta.backlog)} events wait. `}
              {eta.ends_at
                ? `Up to date at about ${hourMinute(eta.ends_at[1], zone)} (between ${hourMinute(eta.ends_at[0], zone)} and ${hourMinute(eta.ends_at[2], zone)}).`
                : eta.not_shrinking
                  ? 'The backlog does not shrink at present, so no end can be named.'
                  : 'Measuring; an estimate follows within a minute.'}
            </p>
          </li>
        ))}
        {past.map((run) => (
          <li key={`${run.lane}${run.started_at}`} className={classes.incident} data-impact="none">
            <h3 className={classes.incidentTitle}>{run.lane} lane caught up</h3>
            <p className={classes.meta}>
              {instant(run.started_at, zone)}, took{' '}
              {duration((run.drained_at ?? run.started_at) - run.started_at)}. {errorText(run)}
            </p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function errorText(run: StatusEtaRun): string {
  const errors = run.points.map((p) => p.error).filter((e): e is number => e !== null);
  if (errors.length === 0) return '';
  const worst = Math.max(...errors.map(Math.abs));
  const inside = run.points.filter((p) => p.inside).length;
  return `${run.points.length} estimates, off by at most ${Math.round(worst * 100)} %, the true end within the range ${inside} times.`;
}
