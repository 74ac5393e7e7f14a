import { useElementSize } from '@mantine/hooks';
import { type KeyboardEvent, type PointerEvent, useState } from 'react';
import { bucket } from '../format/time';
import { Axes } from './Axes';
import { Bars } from './Bars';
import classes from './charts.module.css';
import { Lines } from './Lines';
import { Missing } from './Missing';
import { slot, slotAt, valueScale } from './scales';
import { Tip } from './Tip';

export interface ChartLine {
  id: string;
  name: string;
  color: string;
  values: (number | null)[];
}

interface Props {
  /** What the chart says, for those who cannot see it. */
  summary: string;
  buckets: string[];
  incomplete: boolean[];
  interval: string;
  lines: ChartLine[];
  kind?: 'line' | 'bar';
  height?: number;
  format: (v: number | null) => string;
  /** Buckets in which something is known to be missing. */
  missing?: boolean[];
  /** After the numbers of the axis. */
  unit?: string;
}

const PAD = { top: 10, right: 12, bottom: 26, left: 46 };

/** Values over time. Pointer and arrow keys read out one bucket; open buckets are dashed. */
export function TrendChart(props: Props) {
  const { summary, buckets, incomplete, interval, lines, kind = 'line', height = 300, format, unit } = props;
  const missing = props.missing ?? [];
  const { ref, width } = useElementSize();
  const [at, setAt] = useState<number | null>(null);
  const inner = { width: Math.max(0, width - PAD.left - PAD.right), height: height - PAD.top - PAD.bottom };
  const { y, ticks } = valueScale(
    lines.flatMap((l) => l.values),
    inner.height,
  );
  const n = buckets.length;
  const active = at !== null && at < n ? at : null;

  const point = (e: PointerEvent<SVGSVGElement>) => {
    const box = e.currentTarget.getBoundingClientRect();
    setAt(slotAt(e.clientX - box.left - PAD.left, n, inner.width));
  };
  const press = (e: KeyboardEvent) => {
    const moves: Record<string, number> = {
      ArrowLeft: (active ?? n) - 1,
      ArrowRight: (active ?? -1) + 1,
      Home: 0,
      End: n - 1,
    };
    const to = moves[e.key];
    if (e.key === 'Escape') setAt(null);
    if (to === undefined) return;
    e.preventDefault();
    setAt(Math.min(n - 1, Math.max(0, to)));
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms; this groups a drawing and its read-out
    <div
      ref={ref}
      className={classes.chart}
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys walk over the buckets
      tabIndex={0}
      aria-label={`${summary} Use the arrow keys to read single values.`}
      onKeyDown={press}
      onBlur={() => setAt(null)}
    >
      {width > 0 && (
        <svg
          width={width}
          height={height}
          aria-hidden="true"
          onPointerMove={point}
          onPointerLeave={() => setAt(null)}
        >
          <g transform={`translate(${PAD.left},${PAD.top})`}>
            <Axes buckets={buckets} interval={interval} size={inner} y={y} ticks={ticks} unit={unit} />
            <Missing missing={missing} size={inner} />
            {active !== null && (
              <rect
                className={classes.cursor}
                x={slot(active, n, inner.width) - inner.width / n / 2}
                width={inner.width / n}
                height={inner.height}
              />
            )}
            {kind === 'line' ? (
              <Lines lines={lines} incomplete={incomplete} size={inner} y={y} active={active} />
            ) : (
              <Bars lines={lines} incomplete={incomplete} size={inner} y={y} />
            )}
          </g>
        </svg>
      )}
      {active !== null && (
        <Tip
          x={PAD.left + slot(active, n, inner.width)}
          width={width}
          title={bucket(buckets[active] ?? '', interval, true)}
          note={missing[active] ? 'Not all counted' : incomplete[active] ? 'May still grow' : undefined}
          rows={lines.map((l) => ({ ...l, value: format(l.values[active] ?? null) }))}
          sortBy={lines.map((l) => l.values[active] ?? null)}
        />
      )}
    </div>
  );
}
