import type { ReactNode } from 'react';
import { percent } from '../../../ui/format/number';
import { Panel } from '../../../ui/Panel';
import { Empty, Failed, Loading } from '../../../ui/states';
import { missing } from '../state/query';
import type { ChartKind, StateOf } from '../state/types';
import type { Answer } from '../useChartState';

interface Props<K extends ChartKind> {
  state: StateOf<K>;
  answer: {
    data: Answer<K> | undefined;
    error: unknown;
    isError: boolean;
    isPlaceholderData: boolean;
    refetch: () => unknown;
    /** How far the running query has come, 0 to 1. */
    progress: number;
  };
  children: (answer: Answer<K>) => ReactNode;
}

/** Before there is an answer to show: not asked yet, waiting, or refused. */
export function Gate<K extends ChartKind>({ state, answer, children }: Props<K>) {
  const lacking = missing(state);
  if (lacking) {
    return (
      <Panel>
        <Empty title={lacking}>The result appears here by itself.</Empty>
      </Panel>
    );
  }
  if (answer.isError) {
    return (
      <Panel>
        <Failed
          error={answer.error}
          what="This question was not answered"
          retry={() => void answer.refetch()}
        />
      </Panel>
    );
  }
  if (!answer.data) {
    return (
      <Panel>
        <Loading what={answer.progress > 0 ? `Counting, ${percent(answer.progress, 0)}` : 'Counting'} />
      </Panel>
    );
  }
  return children(answer.data);
}
