import { getRouteApi } from '@tanstack/react-router';
import { useZone } from '../../api/hooks';
import { Page } from '../../ui/Page';
import builder from './builder/builder.module.css';
import { FunnelBuilder } from './builder/FunnelBuilder';
import { RangePicker } from './builder/RangePicker';
import { RetentionBuilder } from './builder/RetentionBuilder';
import { SegmentationBuilder } from './builder/SegmentationBuilder';
import classes from './ChartPage.module.css';
import { kindInfo } from './kinds';
import { FunnelView } from './results/FunnelView';
import { RetentionView } from './results/RetentionView';
import { TrendView } from './results/TrendView';
import { readState } from './state/codec';
import type { ChartKind, ChartState } from './state/types';
import { useSetState } from './useChartState';

const route = getRouteApi('/p/$project/charts/$kind');

/** The builder on the left, its answer on the right; the address is the chart. */
export function ChartPage() {
  const { project, kind } = route.useParams();
  const search = route.useSearch();
  const zone = useZone(project);
  const set = useSetState(project);
  const info = kindInfo(kind as ChartKind);
  const state: ChartState = readState(info.kind, search);
  return (
    <Page
      title={info.name}
      lead={info.lead}
      actions={<RangePicker range={state.range} zone={zone} onChange={(range) => set({ ...state, range })} />}
    >
      <div className={classes.layout} key={kind}>
        <aside className={`${classes.side} ${builder.builder}`} aria-label="Chart definition">
          {state.kind === 'segmentation' && (
            <SegmentationBuilder project={project} state={state} onChange={set} />
          )}
          {state.kind === 'funnel' && <FunnelBuilder project={project} state={state} onChange={set} />}
          {state.kind === 'retention' && <RetentionBuilder project={project} state={state} onChange={set} />}
        </aside>
        <div className={classes.result}>
          {state.kind === 'segmentation' && <TrendView project={project} state={state} onChange={set} />}
          {state.kind === 'funnel' && <FunnelView project={project} state={state} />}
          {state.kind === 'retention' && <RetentionView project={project} state={state} onChange={set} />}
        </div>
      </div>
    </Page>
  );
}
