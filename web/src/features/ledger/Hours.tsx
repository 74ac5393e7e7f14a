import { Button } from '@mantine/core';
import { Fragment, useMemo, useState } from 'react';
import type { LedgerInterval } from '../../api/types';
import table from '../../ui/DataTable.module.css';
import { count, number } from '../../ui/format/number';
import { hourMinute, instant, localDate } from '../../ui/format/time';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/Panel';
import { Empty } from '../../ui/states';
import { byHour, type Hour } from './hours';
import classes from './ledger.module.css';

const SHOWN = 12;

interface Props {
  intervals: LedgerInterval[];
  /** Older intervals that the server did not list. */
  leftOut: number;
  zone: string;
}

/** Entries of the book by the hour of receipt; an hour opens to its intervals and fingerprints. */
export function Hours({ intervals, leftOut, zone }: Props) {
  const hours = useMemo(() => byHour(intervals), [intervals]);
  const [all, setAll] = useState(false);
  const most = Math.max(1, ...hours.map((h) => h.records));
  const shown = all ? hours : hours.slice(0, SHOWN);
  return (
    <Panel
      title="Entries by hour"
      note={`By the hour of receipt, ${zone}. Open an hour to see its intervals with their fingerprints.`}
      flush
    >
      {hours.length === 0 ? (
        <Empty title="Nothing has been entered yet" />
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        // biome-ignore lint/a11y/useSemanticElements: a section would add a landmark
        <div className={table.scroll} tabIndex={0} role="group" aria-label="Entries by hour">
          <table className={table.table}>
            <caption className={table.hidden}>Entries by hour</caption>
            <thead>
              <tr>
                <th scope="col">Hour</th>
                <th scope="col">Records</th>
                <th scope="col" className="tm-num">
                  Visible
                </th>
                <th scope="col" className="tm-num">
                  Duplicate
                </th>
                <th scope="col" className="tm-num">
                  Filtered
                </th>
                <th scope="col" className="tm-num">
                  Dead
                </th>
                <th scope="col" className="tm-num">
                  Control
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((h) => (
                <HourRow key={String(h.at)} hour={h} most={most} zone={zone} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {leftOut > 0 && (all || hours.length <= SHOWN) && (
        <p className={classes.leftOut}>
          {count(leftOut, 'older interval')} not listed; the identity above counts them.
        </p>
      )}
      {hours.length > SHOWN && (
        <div className={classes.more}>
          <Button variant="default" size="xs" onClick={() => setAll((a) => !a)}>
            {all ? 'Show only the newest' : `Show all ${hours.length} hours`}
          </Button>
        </div>
      )}
    </Panel>
  );
}

interface RowProps {
  hour: Hour;
  most: number;
  zone: string;
}

function HourRow({ hour, most, zone }: RowProps) {
  const [open, setOpen] = useState(false);
  const name = hour.at === null ? 'unknown' : `${localDate(hour.at, zone)} ${hourMinute(hour.at, zone)}`;
  return (
    <Fragment>
      <tr>
        <th scope="row">
          <button
            type="button"
            className={classes.hour}
            aria-expanded={open}
            onClick={() => setOpen((o) => !o)}
          >
            <span data-open={open || undefined}>
              <Icon name="chevron" size={13} />
            </span>
            {name}
            {hour.worst !== 'accounted' && <em>{hour.worst}</em>}
          </button>
        </th>
        <td>
          <span className={classes.records}>
            <i style={{ width: `${(hour.records / most) * 100}%` }} />
            <span>{number(hour.records)}</span>
          </span>
        </td>
        <td className="tm-num">{number(hour.tally.visible)}</td>
        <td className="tm-num">{number(hour.tally.duplicate)}</td>
        <td className="tm-num">{number(hour.tally.filtered)}</td>
        <td className="tm-num" data-alarm={hour.tally.dead > 0 || undefined}>
          {number(hour.tally.dead)}
        </td>
        <td className="tm-num">{number(hour.tally.control + hour.tally.hole)}</td>
      </tr>
      {open && (
        <tr>
          <td colSpan={7} className={classes.inside}>
            <ul>
              {hour.intervals.map((i) => (
                <li key={`${i.lane}/${i.partition}/${i.from}`}>
                  <b>
                    {i.lane} {i.partition}
                  </b>
                  <span>
                    {number(i.from)} – {number(i.to)}
                  </span>
                  <span>
                    {i.status === 'accounted' ? '' : `${i.status}${i.reason ? `: ${i.reason}` : ''}`}
                  </span>
                  <span className="tm-dim">{instant(i.received_to, zone)}</span>
                  {i.fingerprint && <code title="Fingerprint of the visible records">{i.fingerprint}</code>}
                </li>
              ))}
            </ul>
          </td>
        </tr>
      )}
    </Fragment>
  );
}
