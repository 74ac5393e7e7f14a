import classes from './charts.module.css';
import { slot } from './scales';
import type { ChartLine } from './TrendChart';

interface Props {
  lines: ChartLine[];
  incomplete: boolean[];
  size: { width: number; height: number };
  y: (v: number) => number;
}

/** Bars side by side: unique people do not add up, so they are never stacked. */
export function Bars({ lines, incomplete, size, y }: Props) {
  const n = lines[0]?.values.length ?? 0;
  const band = n ? size.width / n : 0;
  const gap = Math.min(10, band * 0.24);
  const each = Math.min(56, (band - gap) / Math.max(1, lines.length));
  const start = -(each * lines.length) / 2;
  return (
    <g>
      {lines.map((line, k) => (
        <g key={line.id} fill={line.color} stroke={line.color}>
          {line.values.map((v, i) =>
            v === null ? null : (
              <rect
                // biome-ignore lint/suspicious/noArrayIndexKey: a bucket is its place on the axis
                key={i}
                className={incomplete[i] ? classes.openBar : classes.bar}
                x={slot(i, n, size.width) + start + k * each}
                y={Math.min(y(v), y(0))}
                width={Math.max(1, each - 1)}
                height={Math.abs(y(0) - y(v))}
                rx={each > 6 ? 2 : 0}
              />
            ),
          )}
        </g>
      ))}
    </g>
  );
}
