import type { LiveState } from '../../api/live';
import classes from './events.module.css';

const texts: Record<LiveState, string> = {
  connecting: 'Connecting',
  open: 'Live',
  lost: 'Reconnecting',
};

export function LiveBadge({ state, paused = false }: { state: LiveState; paused?: boolean }) {
  return (
    <span className={classes.badge} data-state={paused ? 'paused' : state} role="status">
      <i />
      {paused ? 'Paused' : texts[state]}
    </span>
  );
}
