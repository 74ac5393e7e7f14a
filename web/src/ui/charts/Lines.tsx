import classes from './charts.module.css';
import { linePaths, type Point, slot } from './scales';
import type { ChartLine } from './TrendChart';

interface Props {
  lines: ChartLine[];
  incomplete: boolean[];
  size: { width: number; height: number };
  y: (v: number) => number;
  active: number | null;
}

export function Lines({ lines, incomplete, size, y, active }: Props) {
  return (
    <g>
      {lines.map((line, order) => {
        const points = line.values.map((v, i): Point | null =>
          v === null ? null : { x: slot(i, line.values.length, size.width), y: y(v) },
        );
        const paths = linePaths(points, incomplete);
        const dot = active === null ? null : points[active];
        return (
          <g key={line.id} stroke={line.color} className={classes.line}>
            {lines.length === 1 && order === 0 && (
              <path className={classes.area} fill={line.color} d={area(points, incomplete, y(0))} />
            )}
            <path d={paths.sure} />
            <path d={paths.unsure} className={classes.open} />
            {dot && <circle className={classes.dot} cx={dot.x} cy={dot.y} r={4} fill={line.color} />}
          </g>
        );
      })}
    </g>
  );
}

/** The tint under a single line without gaps, as far as it is complete. */
function area(points: (Point | null)[], incomplete: boolean[], floor: number): string {
  if (points.includes(null)) return '';
  const all = points.filter((p, i): p is Point => p !== null && !incomplete[i]);
  const first = all[0];
  const last = all.at(-1);
  if (!first || !last || all.length < 2) return '';
  return `M${first.x},${floor}L${all.map((p) => `${p.x},${p.y}`).join('L')}L${last.x},${floor}Z`;
}
