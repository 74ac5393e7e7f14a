import classes from './Logo.module.css';

interface Props {
  size?: number;
  /** Draws the strokes one after the other, for loading. */
  animated?: boolean;
  /** How far the count has come, 1 to 5. */
  strokes?: number;
  weight?: number;
}

/** The mark: four strokes and the slash that completes a count of five. */
export function TallyMark({ size = 24, animated = false, strokes = 5, weight = 3 }: Props) {
  return (
    <svg
      className={animated ? classes.drawn : undefined}
      width={size}
      height={size}
      viewBox="0 0 32 32"
      fill="none"
      strokeWidth={weight}
      strokeLinecap="round"
      aria-hidden="true"
    >
      {[7, 13, 19, 25].slice(0, strokes).map((x) => (
        <path key={x} className={classes.stroke} d={`M${x} 6v20`} pathLength={1} />
      ))}
      {strokes >= 5 && <path className={classes.slash} d="M3 22 29 10" pathLength={1} />}
    </svg>
  );
}

/** The mark with the name. */
export function Wordmark({ size = 22 }: Props) {
  return (
    <span className={classes.wordmark}>
      <TallyMark size={size} />
      <span>Tallymark</span>
    </span>
  );
}
