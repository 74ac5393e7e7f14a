import { seconds } from '../../../ui/format/duration';
import { number, percent } from '../../../ui/format/number';
import { Icon } from '../../../ui/icons';
import type { FunnelShape, FunnelStep } from '../shape/funnel';
import classes from './FunnelBars.module.css';

/** One column per step: the bar that is left, the hatched part that went away, and what leads over. */
export function FunnelBars({ shapes }: { shapes: FunnelShape[] }) {
  const steps = shapes[0]?.steps ?? [];
  const single = shapes.length === 1;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide funnel scrolls and must be reachable by keyboard
    <ol className={classes.funnel} tabIndex={0} aria-label="Steps of the funnel">
      {steps.map((step, k) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a step is its place
        <li key={k} className={classes.column}>
          <div className={classes.label}>
            <span className={classes.place}>{k + 1}</span>
            <span className={classes.name} title={step.name}>
              {step.name}
            </span>
          </div>
          <div className={classes.plot} aria-hidden="true">
            {shapes.map((shape) => (
              <Bar key={shape.id} shape={shape} at={k} />
            ))}
          </div>
          {single ? <StepNote step={step} /> : null}
        </li>
      ))}
    </ol>
  );
}

function Bar({ shape, at }: { shape: FunnelShape; at: number }) {
  const step = shape.steps[at];
  const before = shape.steps[at - 1];
  const here = step?.fromFirst ?? 0;
  const was = before?.fromFirst ?? here;
  return (
    <div className={classes.slot} title={`${shape.name ? `${shape.name}: ` : ''}${number(step?.count)}`}>
      <div className={classes.lost} style={{ height: `${was * 100}%` }} />
      <div className={classes.kept} style={{ height: `${here * 100}%`, background: shape.color }} />
    </div>
  );
}

function StepNote({ step }: { step: FunnelStep }) {
  return (
    <div className={classes.note}>
      <div className={classes.count}>
        <b>{number(step.count)}</b>
        <span>{percent(step.fromFirst)}</span>
      </div>
      <Way step={step} />
    </div>
  );
}

/** What lies between the step before and this one. */
function Way({ step }: { step: FunnelStep }) {
  if (step.dropped === null) return <div className={classes.detail}>entered</div>;
  if (step.fromPrevious === null) return <div className={classes.detail}>nobody was left to come here</div>;
  return (
    <>
      <div className={classes.detail}>
        <Icon name="arrow" size={13} />
        {percent(step.fromPrevious)} of the step before
      </div>
      <div className={step.dropped > 0 ? classes.drop : classes.detail}>
        {step.dropped > 0 ? `${number(step.dropped)} left` : 'nobody left'}
      </div>
      {step.medianS !== null && (
        <div className={classes.detail}>
          <Icon name="clock" size={13} />
          median {seconds(step.medianS)}
        </div>
      )}
    </>
  );
}
