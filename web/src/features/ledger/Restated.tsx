import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { Restatement } from '../../api/books';
import { count, number } from '../../ui/format/number';
import { instant } from '../../ui/format/time';
import { Panel } from '../../ui/Panel';
import classes from './ledger.module.css';
import { changes } from './restated';

interface Props {
  restatements: Restatement[];
  zone: string;
}

/** Why numbers of the past are not what they were. */
export function Restated({ restatements, zone }: Props) {
  const list = useMemo(() => changes(restatements), [restatements]);
  if (list.length === 0) return null;
  return (
    <Panel
      title="What changed afterwards, and why"
      note="Entries are never rubbed out: a later decision is written beside the earlier one, and both can be read."
      flush
    >
      <ul className={classes.changes}>
        {list.map((c) => (
          <li key={c.key}>
            <div className={classes.change}>
              <div>
                <h3>{c.why}</h3>
                <p className="tm-dim">
                  {instant(c.at, zone)}, {count(c.records, 'record')} decided again
                  {c.job !== null && (
                    <>
                      {' by '}
                      <Link to="/operate/jobs" search={{}}>
                        job {c.job}
                      </Link>
                    </>
                  )}
                </p>
              </div>
              <p className={classes.moves}>
                {c.moves.length === 0
                  ? 'no sum changed'
                  : c.moves.map((m) => (
                      <span key={m} data-less={m.startsWith('−') || undefined}>
                        {m}
                      </span>
                    ))}
              </p>
            </div>
            <details className={classes.where}>
              <summary>Where in the log</summary>
              <ul>
                {c.ranges.map((r) => (
                  <li key={`${r.commit}/${r.lane}/${r.partition}/${r.from}`}>
                    {r.lane} {r.partition}, offsets {number(r.from)} – {number(r.to)}, commit{' '}
                    {number(r.commit)}
                  </li>
                ))}
              </ul>
            </details>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
