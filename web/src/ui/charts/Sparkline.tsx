import classes from './charts.module.css';
import { linePaths, valueScale } from './scales';

interface Props {
  values: (number | null)[];
  incomplete?: boolean[];
  width?: number;
  height?: number;
  color?: string;
}

/** A line without axes, beside the number that it explains. Decorative for screen readers. */
export function Sparkline({ values, incomplete, width = 96, height = 28, color }: Props) {
  const { y } = valueScale(values, height - 4);
  const step = values.length > 1 ? (width - 4) / (values.length - 1) : 0;
  const paths = linePaths(
    values.map((v, i) => (v === null ? null : { x: 2 + i * step, y: 2 + y(v) })),
    incomplete ?? values.map(() => false),
  );
  return (
    <svg width={width} height={height} className={classes.spark} aria-hidden="true">
      <g className={classes.line} stroke={color ?? 'var(--tm-accent)'}>
        <path d={paths.sure} />
        <path d={paths.unsure} className={classes.open} />
      </g>
    </svg>
  );
}
