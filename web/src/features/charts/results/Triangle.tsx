import { number, percent } from '../../../ui/format/number';
import { bucket } from '../../../ui/format/time';
import type { RetentionCell, RetentionShape } from '../shape/retention';
import type { RetentionState } from '../state/types';
import classes from './Triangle.module.css';

interface Props {
  shape: RetentionShape;
  state: RetentionState;
  view: RetentionState['view'];
}

/** Cohorts down, offsets across. Stronger green is a larger share; hatched may still grow. */
export function Triangle({ shape, state, view }: Props) {
  const periods = Math.max(0, ...shape.rows.map((r) => r.cells.length));
  const offsets = Array.from({ length: periods }, (_, k) => k);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table scrolls and must be reachable by keyboard
    // biome-ignore lint/a11y/useSemanticElements: a section would add a landmark
    <div className={classes.scroll} tabIndex={0} role="group" aria-label="Retention by cohort">
      <table className={classes.table}>
        <caption className={classes.hidden}>
          Retention by cohort{shape.name ? `, ${shape.name}` : ''}. Hatched cells may still grow.
        </caption>
        <thead>
          <tr>
            <th scope="col">Started</th>
            <th scope="col" className={classes.size}>
              People
            </th>
            {offsets.map((k) => (
              <th key={k} scope="col">
                {k === 0 ? `${state.interval} 0` : k}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <tr className={classes.overall}>
            <th scope="row">All complete</th>
            <td className={classes.size}>{number(shape.size)}</td>
            {offsets.map((k) => (
              <Cell key={k} share={shape.overall[k] ?? null} text={percent(shape.overall[k], 1)} />
            ))}
          </tr>
          {shape.rows.map((row) => (
            <tr key={row.cohort}>
              <th scope="row">{bucket(row.cohort, state.interval, false)}</th>
              <td className={classes.size}>{number(row.size)}</td>
              {offsets.map((k) => {
                const cell = row.cells[k];
                return (
                  <Cell
                    key={k}
                    share={cell?.share ?? null}
                    text={cellText(cell, view)}
                    open={cell?.open}
                    title={cellTitle(cell, row.size, state.interval, k)}
                  />
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface CellProps {
  share: number | null;
  text: string;
  open?: boolean;
  title?: string;
}

function Cell({ share, text, open = false, title }: CellProps) {
  if (share === null) return <td className={classes.none}>–</td>;

  return (
    <td
      className={`${classes.cell} ${open ? classes.open : ''}`}
      data-dark={!open && share > 0.8 ? true : undefined}
      data-light={!open && share > 0.6 ? true : undefined}
      style={{ '--heat': `${Math.round(4 + share * 92)}%` } as React.CSSProperties}
      title={title}
    >
      {text}
    </td>
  );
}

function cellText(cell: RetentionCell | undefined, view: RetentionState['view']): string {
  if (!cell) return '–';
  return view === 'people' ? number(cell.people) : percent(cell.share, 1);
}

function cellTitle(
  cell: RetentionCell | undefined,
  size: number,
  unit: string,
  k: number,
): string | undefined {
  if (!cell || cell.people === null) return undefined;
  const grows = cell.open ? '. May still grow.' : '';
  return `${number(cell.people)} of ${number(size)} in ${unit} ${k}${grows}`;
}
