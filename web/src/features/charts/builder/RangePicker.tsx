import { Button, Group, Popover, SegmentedControl, Stack, VisuallyHidden } from '@mantine/core';
import { DatePicker } from '@mantine/dates';
import { useState } from 'react';
import { localDate } from '../../../ui/format/time';
import { Icon } from '../../../ui/icons';
import { rangeText } from '../shape/trend';
import { readRange, writeRange } from '../state/codec';
import type { Range } from '../state/types';
import classes from './builder.module.css';

const PRESETS = [
  { value: '1d', label: 'Today' },
  { value: '7d', label: '7 d' },
  { value: '30d', label: '30 d' },
  { value: '90d', label: '90 d' },
  { value: '12m', label: '12 mo' },
];

interface Props {
  range: Range;
  zone: string;
  onChange: (range: Range) => void;
}

/** Presets that move with time, or two dates that stay. */
export function RangePicker({ range, zone, onChange }: Props) {
  const [open, setOpen] = useState(false);
  const [dates, setDates] = useState<[string | null, string | null]>([null, null]);
  const written = writeRange(range);
  const preset = PRESETS.some((p) => p.value === written) ? written : 'custom';
  const today = localDate(new Date(), zone);

  return (
    <div className={classes.range}>
      <VisuallyHidden id="range-label">Range</VisuallyHidden>
      <SegmentedControl
        size="xs"
        aria-labelledby="range-label"
        data={PRESETS}
        value={preset}
        onChange={(v) => onChange(readRange(v) ?? range)}
      />
      <Popover opened={open} onChange={setOpen} position="bottom-end" trapFocus>
        <Popover.Target>
          <Button
            size="xs"
            variant={preset === 'custom' ? 'light' : 'default'}
            leftSection={<Icon name="calendar" size={15} />}
            onClick={() => {
              setDates('from' in range ? [range.from, range.to] : [null, null]);
              setOpen((o) => !o);
            }}
          >
            {preset === 'custom' ? rangeText(range).replace(/^(in the|from) /, '') : 'Dates'}
          </Button>
        </Popover.Target>
        <Popover.Dropdown>
          <Stack gap="sm">
            <DatePicker
              type="range"
              value={dates}
              onChange={setDates}
              maxDate={today}
              allowSingleDateInRange
              aria-label="Range"
            />
            <Group justify="space-between">
              <span className={classes.word}>Days in {zone}</span>
              <Button
                size="xs"
                disabled={!dates[0] || !dates[1]}
                onClick={() => {
                  if (dates[0] && dates[1]) onChange({ from: dates[0], to: dates[1] });
                  setOpen(false);
                }}
              >
                Use these dates
              </Button>
            </Group>
          </Stack>
        </Popover.Dropdown>
      </Popover>
    </div>
  );
}
