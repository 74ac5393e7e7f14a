import type { Json, Merge } from '../../api/types';
import { instant } from '../../ui/format/time';
import { Icon } from '../../ui/icons';
import classes from './persons.module.css';

interface Props {
  merges: Merge[] | null | undefined;
  zone: string;
}

const names: Record<string, string> = {
  adopt: 'Signed in for the first time',
  merge: 'Two histories became one',
  alias: 'Another id was added',
  pair: 'A device was linked',
  reset: 'Signed out',
  merge_refused: 'A merge was refused',
};

export function Merges({ merges, zone }: Props) {
  if (!merges?.length) return <p className={classes.none}>Nothing was merged.</p>;
  return (
    <ol className={classes.merges}>
      {merges.map((m, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a list of what happened never changes its order
        <li key={i}>
          <Icon name="merge" size={15} />
          <div>
            {names[m.kind] ?? m.kind.replaceAll('_', ' ')}
            <small>{instant(m.at, zone)}</small>
            {m.detail ? <p>{detail(m.detail)}</p> : null}
          </div>
        </li>
      ))}
    </ol>
  );
}

/** A sentence stays a sentence; an object is read out as names and values. */
function detail(d: Json): string {
  if (typeof d !== 'object' || d === null) return String(d);
  return Object.entries(d)
    .map(([k, v]) => `${k.replaceAll('_', ' ')} ${typeof v === 'object' ? JSON.stringify(v) : String(v)}`)
    .join(', ');
}
