import { useId } from 'react';
import classes from './charts.module.css';
import { runs } from './scales';

interface Props {
  missing: boolean[];
  size: { width: number; height: number };
}

/** A hatched background where records are known to be missing. The words stand above the chart. */
export function Missing({ missing, size }: Props) {
  const id = useId();
  const bands = runs(missing);
  if (bands.length === 0) return null;
  const step = size.width / missing.length;
  return (
    <g>
      <defs>
        <pattern id={id} width={7} height={7} patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect className={classes.missingGround} width={7} height={7} />
          <line className={classes.missingLine} y2={7} />
        </pattern>
      </defs>
      {bands.map(([from, to]) => (
        <rect
          key={from}
          data-testid="missing"
          fill={`url(#${id})`}
          x={from * step}
          width={(to - from) * step}
          height={size.height}
        />
      ))}
    </g>
  );
}
