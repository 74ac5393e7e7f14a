import { Link } from '@tanstack/react-router';
import { useLedger, useZone } from '../../api/hooks';
import { Ago } from '../../ui/Ago';
import { number } from '../../ui/format/number';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/Panel';
import { Failed, Loading } from '../../ui/states';
import { verdict } from '../ledger/verdict';
import classes from './overview.module.css';

/** The ledger in five lines. */
export function Accounts({ project }: { project: string }) {
  const { data, isError, error, refetch } = useLedger(project);
  const zone = useZone(project);
  if (isError && !data) {
    return (
      <Panel title="Accounted for">
        <Failed error={error} retry={() => void refetch()} />
      </Panel>
    );
  }
  if (!data) {
    return (
      <Panel title="Accounted for">
        <Loading />
      </Panel>
    );
  }
  const v = verdict(data);
  const i = data.identity;
  const terms: [string, number][] = [
    ['Visible', i.visible],
    ['Duplicates', i.duplicate],
    ['Filtered', i.filtered],
    ['Dead letters', i.dead],
    ['Pending', i.pending],
  ];
  return (
    <Panel
      title="Accounted for"
      actions={
        <Link to="/p/$project/ledger" params={{ project }} className={classes.small}>
          Ledger
        </Link>
      }
    >
      <div className={classes.verdict} data-state={v.state}>
        <Icon name={v.state === 'bad' || v.state === 'gap' ? 'warning' : 'check'} size={18} />
        <span>
          {v.short}
          <small>
            Complete through <Ago at={data.complete_through} zone={zone} />
          </small>
        </span>
      </div>
      <dl className={classes.account}>
        {terms.map(([name, n]) => (
          <div key={name} data-zero={n === 0 || undefined}>
            <dt>{name}</dt>
            <dd>{number(n)}</dd>
          </div>
        ))}
        <div className={classes.sum}>
          <dt>Acknowledged</dt>
          <dd>{number(i.acknowledged)}</dd>
        </div>
      </dl>
    </Panel>
  );
}
