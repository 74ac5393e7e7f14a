import type { Key, ReactNode } from 'react';
import classes from './DataTable.module.css';

export interface Column<Row> {
  key: string;
  head: ReactNode;
  cell: (row: Row, index: number) => ReactNode;
  /** Numbers stand to the right. */
  numeric?: boolean;
  /** The column that names the row. */
  heading?: boolean;
  /** Left out on narrow screens. */
  wide?: boolean;
}

interface Props<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row, index: number) => Key;
  /** Shows the caption above the table; it is always there for screen readers. */
  captioned?: boolean;
  maxHeight?: number;
}

/** A plain table in the house style, with real headers and a caption. */
export function DataTable<Row>({ caption, columns, rows, rowKey, captioned = false, maxHeight }: Props<Row>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    // biome-ignore lint/a11y/useSemanticElements: a section would add a landmark for every table
    <div className={classes.scroll} style={{ maxHeight }} tabIndex={0} role="group" aria-label={caption}>
      <table className={classes.table}>
        <caption className={captioned ? classes.caption : classes.hidden}>{caption}</caption>
        <thead>
          <tr>
            {columns.map((c) => (
              <th key={c.key} scope="col" className={classOf(c)}>
                {c.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={rowKey(row, i)}>
              {columns.map((c) =>
                c.heading ? (
                  <th key={c.key} scope="row">
                    {c.cell(row, i)}
                  </th>
                ) : (
                  <td key={c.key} className={classOf(c)}>
                    {c.cell(row, i)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function classOf<Row>(c: Column<Row>): string | undefined {
  return [c.numeric && 'tm-num', c.wide && classes.wide].filter(Boolean).join(' ') || undefined;
}
