import type { StatusComponent } from '../../api/watch';
import { Panel } from '../../ui/Panel';
import classes from './Status.module.css';
import { uptime as percent, STATE, toneOf } from './words';

/** Every part with its state and its last ninety days. */
export function Components({ components }: { components: StatusComponent[] }) {
  return (
    <Panel title="Parts" note="A bar is a day; its colour is the worst that was seen on it." flush>
      <ul className={classes.parts}>
        {components.map((c) => (
          <li key={c.id} className={classes.part} data-child={c.group ? '' : undefined}>
            <div className={classes.partHead}>
              <span className={classes.partName}>{c.name}</span>
              <span className={classes.partState} data-tone={toneOf(c.state)}>
                <i className={classes.dot} aria-hidden="true" />
                {STATE[c.state]}
              </span>
            </div>
            <Days component={c} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** A part that was never watched has days too: grey ones. */
const UNKNOWN: StatusComponent['uptime']['days'] = Array.from({ length: 90 }, (_, i) => [
  i === 89 ? 'Today' : `${89 - i} days ago`,
  null,
  null,
]);

function Days({ component: { name, uptime } }: { component: StatusComponent }) {
  const up = uptime.days.length > 0 ? uptime : { ...uptime, days: UNKNOWN };
  const watched = up.days.filter(([, s]) => s !== null).length;
  return (
    <div className={classes.days}>
      <svg
        viewBox={`0 0 ${up.days.length * 4} 24`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${name}: ${percent(up.share)} of ${watched} watched days`}
      >
        {up.days.map(([day, dayShare, worst], i) => (
          <rect
            key={day}
            x={i * 4}
            y={dayShare === null ? 9 : 0}
            width={3}
            height={dayShare === null ? 6 : 24}
            rx={0.8}
            className={classes.day}
            data-tone={toneOf(worst)}
          >
            <title>{`${day}: ${dayShare === null ? 'not watched' : `${percent(dayShare)}, ${worst ? STATE[worst].toLowerCase() : ''}`}`}</title>
          </rect>
        ))}
      </svg>
      <div className={classes.daysFoot} aria-hidden="true">
        <span>{up.days.length} days ago</span>
        <span>{percent(up.share)}</span>
        <span>today</span>
      </div>
    </div>
  );
}
