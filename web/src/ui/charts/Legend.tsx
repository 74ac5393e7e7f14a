import classes from './charts.module.css';

interface Item {
  id: string;
  name: string;
  color: string;
  /** The value over the whole range. */
  total?: string;
}

interface Props {
  items: Item[];
  hidden: Set<string>;
  onToggle: (id: string) => void;
}

/** Names of the lines; pressing one hides or shows it. */
export function Legend({ items, hidden, onToggle }: Props) {
  return (
    <ul className={classes.legend} aria-label="Series">
      {items.map((item) => (
        <li key={item.id}>
          <button
            type="button"
            aria-pressed={!hidden.has(item.id)}
            onClick={() => onToggle(item.id)}
            title={hidden.has(item.id) ? 'Show' : 'Hide'}
          >
            <i style={{ background: item.color }} />
            <span>{item.name}</span>
            {item.total !== undefined && <b>{item.total}</b>}
          </button>
        </li>
      ))}
    </ul>
  );
}
