import { Empty } from '../../../ui/states';
import { funnelShapes, funnelSummary, funnelTable } from '../shape/funnel';
import type { FunnelState } from '../state/types';
import { useAnswer } from '../useChartState';
import { FunnelBars } from './FunnelBars';
import { FunnelGroups } from './FunnelGroups';
import { Gate } from './Gate';
import { ResultFrame } from './ResultFrame';

interface Props {
  project: string;
  state: FunnelState;
}

export function FunnelView({ project, state }: Props) {
  const answer = useAnswer<'funnel'>(project, state);
  return (
    <Gate state={state} answer={answer}>
      {({ asked, result }) => {
        const shapes = funnelShapes(asked, result);
        const entered = shapes.some((s) => (s.steps[0]?.count ?? 0) > 0);
        return (
          <ResultFrame
            project={project}
            state={state}
            summary={funnelSummary(asked, shapes)}
            envelope={result}
            open={false}
            busy={answer.busy}
            rows={funnelTable(shapes)}
          >
            {entered ? (
              <>
                <FunnelBars shapes={shapes} />
                {shapes.length > 1 && <FunnelGroups shapes={shapes} />}
              </>
            ) : (
              <Empty title="Nobody entered this funnel">
                No one did the first step in this range. Try a longer range or fewer conditions.
              </Empty>
            )}
          </ResultFrame>
        );
      }}
    </Gate>
  );
}
