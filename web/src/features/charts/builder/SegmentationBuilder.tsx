import { Select } from '@mantine/core';
import { measureName } from '../shape/names';
import { MEASURES, type Measure, needsProperty, type SegmentationState, type Series } from '../state/types';
import classes from './builder.module.css';
import { CommonSections, Section } from './Common';
import { EventPicker } from './EventPicker';
import { removed, replaced } from './lists';
import { PropertyPicker } from './PropertyPicker';
import { StepCard } from './StepCard';

interface Props {
  project: string;
  state: SegmentationState;
  onChange: (state: SegmentationState) => void;
}

const SERIES_MAX = 10;

export function SegmentationBuilder({ project, state, onChange }: Props) {
  const put = (series: Series[]) => onChange({ ...state, series });
  return (
    <>
      <Section title="What to count">
        <ol className={classes.steps}>
          {state.series.map((s, i) => (
            <StepCard
              // biome-ignore lint/suspicious/noArrayIndexKey: a series is named by its place
              key={i}
              project={project}
              mark={String.fromCharCode(65 + i)}
              step={s}
              onChange={(step) => put(replaced(state.series, i, { ...s, ...step }))}
              onRemove={() => put(removed(state.series, i))}
            >
              <MeasurePicker
                project={project}
                series={s}
                onChange={(n) => put(replaced(state.series, i, n))}
              />
            </StepCard>
          ))}
        </ol>
        {state.series.length < SERIES_MAX && (
          <EventPicker
            project={project}
            label="Add event"
            add="Add event"
            value={null}
            onChange={(event) => put([...state.series, { event, where: [], measure: 'uniques' }])}
          />
        )}
      </Section>
      <CommonSections
        project={project}
        state={state}
        events={state.series.map((s) => s.event)}
        segmentNote="Applies to every event of the chart."
        onChange={onChange}
      />
    </>
  );
}

interface MeasureProps {
  project: string;
  series: Series;
  onChange: (series: Series) => void;
}

function MeasurePicker({ project, series, onChange }: MeasureProps) {
  const pick = (measure: Measure) => {
    const { property, ...rest } = series;
    onChange(needsProperty(measure) && property ? { ...rest, measure, property } : { ...rest, measure });
  };
  return (
    <div className={classes.measure}>
      <span className={classes.word}>count</span>
      <Select
        size="xs"
        w={162}
        aria-label={`Measure of ${series.event}`}
        allowDeselect={false}
        value={series.measure}
        onChange={(m) => m && pick(m as Measure)}
        data={[
          { group: 'Counting', items: items(['uniques', 'totals', 'average']) },
          { group: 'Of a number', items: items(MEASURES.filter(needsProperty)) },
        ]}
      />
      {needsProperty(series.measure) && (
        <>
          <span className={classes.word}>of</span>
          <PropertyPicker
            project={project}
            label={`Number property of ${series.event}`}
            value={series.property ? { scope: 'event', property: series.property } : null}
            events={[series.event]}
            numbersOnly
            eventOnly
            onChange={(p) => onChange({ ...series, property: p.property })}
          />
        </>
      )}
    </div>
  );
}

function items(measures: readonly Measure[]) {
  return measures.map((m) => ({ value: m, label: measureName(m) }));
}
