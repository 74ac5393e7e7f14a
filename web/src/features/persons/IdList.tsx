import { CopyButton } from '../../ui/CopyButton';
import classes from './persons.module.css';

export function IdList({ title, ids }: { title: string; ids: string[] }) {
  return (
    <div className={classes.ids}>
      <h3>{title}</h3>
      {ids.length === 0 && <p className={classes.none}>none</p>}
      <ul>
        {ids.map((id) => (
          <li key={id}>
            <code>{id}</code>
            <CopyButton value={id} label="Copy" variant="subtle" size="compact-xs" />
          </li>
        ))}
      </ul>
    </div>
  );
}
