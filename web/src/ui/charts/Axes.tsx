import { compact } from '../format/number';
import { bucket } from '../format/time';
import classes from './charts.module.css';
import { labelled, slot } from './scales';

interface Props {
  buckets: string[];
  interval: string;
  size: { width: number; height: number };
  y: (v: number) => number;
  ticks: number[];
  unit?: string;
}

export function Axes({ buckets, interval, size, y, ticks, unit = '' }: Props) {
  const shown = labelled(buckets.length, size.width, interval === 'hour' ? 96 : 62);
  return (
    <g>
      {ticks.map((t) => (
        <g key={t} transform={`translate(0,${y(t)})`}>
          <line className={t === 0 ? classes.zero : classes.grid} x2={size.width} />
          <text className={classes.tick} x={-8} dy="0.32em" textAnchor="end">
            {compact(t)}
            {unit}
          </text>
        </g>
      ))}
      {buckets.map((b, i) =>
        shown.has(i) ? (
          <text
            key={b}
            className={classes.tick}
            x={slot(i, buckets.length, size.width)}
            y={size.height + 18}
            textAnchor="middle"
          >
            {bucket(b, interval)}
          </text>
        ) : null,
      )}
    </g>
  );
}
