import classes from './charts.module.css';

interface Row {
  id: string;
  name: string;
  color: string;
  value: string;
}

interface Props {
  x: number;
  width: number;
  title: string;
  note?: string;
  rows: Row[];
  /** Values by which the rows stand in order, largest first. */
  sortBy: (number | null)[];
}

/** Reads one bucket out, beside the pointer and to screen readers. */
export function Tip({ x, width, title, note, rows, sortBy }: Props) {
  const order = rows
    .map((row, i) => ({ row, by: sortBy[i] ?? Number.NEGATIVE_INFINITY }))
    .sort((a, b) => b.by - a.by);
  const left = x > width / 2;
  return (
    <div
      className={classes.tip}
      style={left ? { right: width - x + 14 } : { left: x + 14 }}
      role="status"
      aria-live="polite"
    >
      <div className={classes.tipTitle}>
        {title}
        {note && <span>{note}</span>}
      </div>
      {order.map(({ row }) => (
        <div key={row.id} className={classes.tipRow}>
          <i style={{ background: row.color }} />
          <span>{row.name}</span>
          <b>{row.value}</b>
        </div>
      ))}
    </div>
  );
}
