import { Link } from '@tanstack/react-router';
import { useLedger, useZone } from '../../api/hooks';
import { useNow } from '../../ui/Ago';
import { ago, instant } from '../../ui/format/time';
import { Icon } from '../../ui/icons';
import { verdict } from '../ledger/verdict';
import classes from './Shell.module.css';

/** The one line of the ledger that is always in sight: is everything accounted for, and up to when. */
export function Freshness({ project }: { project: string }) {
  const { data, isError } = useLedger(project);
  const zone = useZone(project);
  const now = useNow(5000);
  if (isError && !data) {
    return (
      <Link to="/p/$project/ledger" params={{ project }} className={classes.fresh} data-state="bad">
        <Icon name="warning" size={16} />
        <span>Ledger cannot be read</span>
      </Link>
    );
  }
  if (!data) return <div className={classes.fresh}>&nbsp;</div>;
  const v = verdict(data);
  return (
    <Link
      to="/p/$project/ledger"
      params={{ project }}
      className={classes.fresh}
      data-state={v.state}
      title={
        data.complete_through
          ? `Complete through ${instant(data.complete_through, zone)} ${zone}`
          : 'No event yet'
      }
    >
      <Icon name={v.state === 'bad' || v.state === 'gap' ? 'warning' : 'check'} size={16} />
      <span>
        {v.short}
        <small>
          {data.complete_through ? `complete ${ago(data.complete_through, now)}` : 'no events yet'}
        </small>
      </span>
    </Link>
  );
}
