import { DataTable } from '../../../ui/DataTable';
import type { Cell } from '../../../ui/format/csv';
import { number } from '../../../ui/format/number';
import classes from './results.module.css';

interface Props {
  caption: string;
  /** The first row has the names of the columns. */
  rows: Cell[][];
}

/** The rows of the export, on screen. */
export function TableOf({ caption, rows }: Props) {
  const [head = [], ...body] = rows;
  return (
    <div className={classes.table}>
      <DataTable
        caption={caption}
        rows={body}
        rowKey={(_, i) => i}
        maxHeight={480}
        columns={head.map((name, i) => ({
          key: String(i),
          head: String(name ?? ''),
          heading: i === 0,
          numeric: body.some((r) => typeof r[i] === 'number'),
          cell: (row: Cell[]) => shown(row[i]),
        }))}
      />
    </div>
  );
}

function shown(cell: Cell): string {
  if (cell === null || cell === undefined) return '–';
  if (typeof cell === 'boolean') return cell ? 'yes' : '';
  return typeof cell === 'number' ? number(cell) : cell;
}
