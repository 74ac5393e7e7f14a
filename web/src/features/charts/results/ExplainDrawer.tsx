import { Drawer } from '@mantine/core';
import { useExplain } from '../../../api/hooks';
import { Code } from '../../../ui/Code';
import { Failed, Loading } from '../../../ui/states';
import { missing, toQuery } from '../state/query';
import type { ChartState } from '../state/types';
import classes from './results.module.css';

interface Props {
  project: string;
  state: ChartState;
  opened: boolean;
  onClose: () => void;
}

/** The question as the API takes it, what answering it reads, and how to ask it elsewhere. */
export function ExplainDrawer({ project, state, opened, onClose }: Props) {
  const query = toQuery(state);
  const plan = useExplain(project, query, opened && missing(state) === null);
  const text = JSON.stringify(query, null, 2);
  return (
    <Drawer opened={opened} onClose={onClose} position="right" size="lg" title="How this is computed">
      <div className={classes.explain}>
        <h3>The question</h3>
        <p>
          Every chart is one query object. POST it to <code>/api/v1/projects/{project}/query</code>, or save
          it and run <code>tallymark query chart.json --project {project}</code>.
        </p>
        <Code text={text} label="Query" />
        <h3>What answering it reads</h3>
        {plan.isPending && <Loading what="Asking for the plan" />}
        {plan.isError && <Failed error={plan.error} retry={() => void plan.refetch()} />}
        {plan.isSuccess && <Code text={JSON.stringify(plan.data, null, 2)} label="Plan" />}
      </div>
    </Drawer>
  );
}
