import classes from './Code.module.css';
import { CopyButton } from './CopyButton';

interface Props {
  text: string;
  label: string;
  copy?: boolean;
  wrap?: boolean;
}

/** A block to read and to copy. */
export function Code({ text, label, copy = true, wrap = false }: Props) {
  return (
    <div className={classes.block}>
      {/* biome-ignore lint/a11y/useSemanticElements: a section would add a landmark for every block */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a block that scrolls must be reachable by keyboard */}
      <pre role="group" className={wrap ? classes.wrapped : classes.pre} aria-label={label} tabIndex={0}>
        <code>{text}</code>
      </pre>
      {copy && (
        <div className={classes.copy}>
          <CopyButton value={text} />
        </div>
      )}
    </div>
  );
}
