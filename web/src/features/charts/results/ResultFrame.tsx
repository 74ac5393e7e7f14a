import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import type { ReactNode } from 'react';
import type { Envelope } from '../../../api/types';
import { CopyButton } from '../../../ui/CopyButton';
import { type Cell, download, fileName, toCsv } from '../../../ui/format/csv';
import { Icon } from '../../../ui/icons';
import { Panel } from '../../../ui/Panel';
import { chartTitle } from '../shape/names';
import type { ChartState } from '../state/types';
import { ExplainDrawer } from './ExplainDrawer';
import { Notes } from './Notes';
import classes from './results.module.css';
import { TableOf } from './TableOf';

interface Props {
  project: string;
  state: ChartState;
  summary: string;
  envelope: Envelope;
  /** True when the last buckets may still grow. */
  open: boolean;
  busy: boolean;
  rows: Cell[][];
  controls?: ReactNode;
  children: ReactNode;
}

/** What every answer has: its sentence, its notes, the same numbers as a table and a file, a link. */
export function ResultFrame(props: Props) {
  const { project, state, summary, envelope, open, busy, rows, controls, children } = props;
  const [table, toggleTable] = useDisclosure(false);
  const [explaining, explain] = useDisclosure(false);
  return (
    <Panel busy={busy}>
      <div className={classes.head}>
        <p className={classes.summary} data-testid="summary" aria-live="polite">
          {summary}
        </p>
        <Notes project={project} envelope={envelope} open={open} />
      </div>
      {controls && <div className={classes.controls}>{controls}</div>}
      {children}
      <div className={classes.foot}>
        <Button
          variant="default"
          size="xs"
          leftSection={<Icon name="table" size={15} />}
          aria-expanded={table}
          onClick={toggleTable.toggle}
        >
          {table ? 'Hide table' : 'Show as table'}
        </Button>
        <Button
          variant="default"
          size="xs"
          leftSection={<Icon name="download" size={15} />}
          onClick={() => download(fileName(chartTitle(state), 'csv'), toCsv(rows))}
        >
          Export CSV
        </Button>
        <CopyButton value={() => window.location.href} label="Copy link" icon="link" />
        <Button
          variant="default"
          size="xs"
          leftSection={<Icon name="explain" size={15} />}
          onClick={explain.open}
        >
          Explain
        </Button>
      </div>
      {table && <TableOf rows={rows} caption={`${chartTitle(state)}, as a table`} />}
      <ExplainDrawer project={project} state={state} opened={explaining} onClose={explain.close} />
    </Panel>
  );
}
