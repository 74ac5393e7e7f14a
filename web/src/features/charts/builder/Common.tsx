import { ActionIcon } from '@mantine/core';
import type { ReactNode } from 'react';
import { Icon } from '../../../ui/icons';
import type { ChartState } from '../state/types';
import classes from './builder.module.css';
import { Conditions } from './Conditions';
import { PropertyPicker } from './PropertyPicker';

export function Section({ title, note, children }: { title: string; note?: string; children: ReactNode }) {
  return (
    <section className={classes.section}>
      <h3 className={classes.sectionTitle}>{title}</h3>
      {note && <p className={classes.sectionNote}>{note}</p>}
      {children}
    </section>
  );
}

interface Props<S extends ChartState> {
  project: string;
  state: S;
  events: string[];
  /** To which events the chart's conditions apply, and where a group is taken from. */
  segmentNote: string;
  breakdownNote?: string;
  onChange: (state: S) => void;
}

/** What every chart has: conditions for all of it, and a breakdown. */
export function CommonSections<S extends ChartState>(props: Props<S>) {
  const { project, state, events, segmentNote, breakdownNote, onChange } = props;
  return (
    <>
      <Section title="Who" note={segmentNote}>
        <Conditions
          project={project}
          what="Chart"
          conditions={state.segment}
          events={events}
          add="Add condition"
          onChange={(segment) => onChange({ ...state, segment })}
        />
      </Section>
      <Section title="Break down by" note={state.by ? breakdownNote : undefined}>
        <div className={classes.by}>
          <PropertyPicker
            project={project}
            label="Break down by"
            value={state.by ?? null}
            events={events}
            add="Choose a property"
            icon="split"
            onChange={(by) => onChange({ ...state, by })}
          />
          {state.by && (
            <ActionIcon
              variant="subtle"
              color="gray"
              size="sm"
              aria-label="Remove the breakdown"
              onClick={() => onChange({ ...state, by: undefined })}
            >
              <Icon name="close" size={14} />
            </ActionIcon>
          )}
        </div>
      </Section>
    </>
  );
}
