import { Fragment } from 'react';
import type { Identity, Ledger } from '../../api/types';
import { number, percent, ratio } from '../../ui/format/number';
import { Panel } from '../../ui/Panel';
import { Partial } from '../../ui/states';
import { ConflictsNote } from './ConflictsNote';
import classes from './Equation.module.css';
import { HeldBackNote } from './HeldBackNote';
import { accounted, verdict } from './verdict';

interface Term {
  key: 'visible' | 'duplicate' | 'filtered' | 'dead' | 'pending';
  name: string;
  what: string;
}

const terms: Term[] = [
  { key: 'visible', name: 'Visible', what: 'counted by every query' },
  { key: 'duplicate', name: 'Duplicate', what: 'sent again, counted once' },
  { key: 'filtered', name: 'Filtered', what: 'dropped by a rule' },
  { key: 'dead', name: 'Dead', what: 'not understood, kept with its bytes' },
  { key: 'pending', name: 'Pending', what: 'on disk, not yet counted' },
];

/** acknowledged = visible + duplicate + filtered + dead + pending, with the stamp that says it holds. */
export function Equation({ ledger, zone }: { ledger: Ledger; zone: string }) {
  const i = ledger.identity;
  const v = verdict(ledger);
  return (
    <Panel className={classes.panel}>
      <div className={classes.top}>
        <p className={classes.long}>{v.long}</p>
        <span className={classes.stamp} data-state={v.state} data-testid="ledger-verdict">
          {v.stamp}
        </span>
      </div>
      <div className={classes.equation} role="math" aria-label={spoken(i)}>
        <div className={classes.left}>
          <span className={classes.name}>Acknowledged</span>
          <span className={classes.total}>{number(i.acknowledged)}</span>
          <span className={classes.what}>written to disk, then confirmed to the sender</span>
        </div>
        {terms.map((t, k) => (
          <Fragment key={t.key}>
            <span className={classes.operator} aria-hidden="true">
              {k === 0 ? (i.acknowledged === accounted(i) ? '=' : '≠') : '+'}
            </span>
            <div className={classes.term} data-key={t.key} data-zero={i[t.key] === 0 || undefined}>
              <span className={classes.name}>{t.name}</span>
              <span className={classes.value}>{number(i[t.key])}</span>
              <span className={classes.what}>{t.what}</span>
            </div>
          </Fragment>
        ))}
      </div>
      <Proportion identity={i} />
      {i.pending_exact === false && (
        <Partial>
          Pending is counted over all projects of this server: what is not read yet does not say whose it is.
        </Partial>
      )}
      {ledger.instance && (
        <p className={classes.instance}>
          Whole server: {number(ledger.instance.acknowledged)} acknowledged ={' '}
          {number(ledger.instance.visible)} visible + {number(ledger.instance.duplicate)} duplicate +{' '}
          {number(ledger.instance.filtered)} filtered + {number(ledger.instance.dead)} dead +{' '}
          {number(ledger.instance.pending)} pending
          {ledger.instance.balanced ? ', balanced' : ', NOT balanced'}.
        </p>
      )}
      {ledger.conflicts && <ConflictsNote conflicts={ledger.conflicts} zone={zone} />}
      <HeldBackNote held={ledger.held_back} zone={zone} />
    </Panel>
  );
}

/** The same terms as lengths; hair-thin parts stay visible. */
function Proportion({ identity: i }: { identity: Identity }) {
  return (
    <div className={classes.bar} aria-hidden="true">
      {terms.map((t) =>
        i[t.key] > 0 ? (
          <i
            key={t.key}
            data-key={t.key}
            style={{ flexGrow: i[t.key] }}
            title={`${t.name}: ${percent(ratio(i[t.key], i.acknowledged), 2)}`}
          />
        ) : null,
      )}
    </div>
  );
}

function spoken(i: Identity): string {
  const right = terms.map((t) => `${number(i[t.key])} ${t.name.toLowerCase()}`).join(' plus ');
  return `${number(i.acknowledged)} acknowledged equals ${right}`;
}
