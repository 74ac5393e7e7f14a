import { describe, expect, it } from 'vitest';
import type { FileSource, Source } from '../../api/sources';
import { fileStanding, fileTroubles, hourInWords, nameOf, rate, standing } from './words';

const source: Source = {
  id: 'ab12',
  key: 'web (wk_12345…)',
  protocol: 'PostHog',
  library: 'posthog-python',
  library_version: '3.1.0',
  lane: 'live',
  state: 'silent',
  watched: true,
  first_event: '2026-01-01T00:00:00.000Z',
  last_event: '2026-01-01T00:00:00.000Z',
  rate: 0,
  usual_rate: 12.5,
  other_days: null,
  minutes: [],
};

describe('words for sources', () => {
  it('knows every state of the server, and shows one that it does not know', () => {
    expect(standing(source)).toMatchObject({ text: 'Silent', tone: 'bad' });
    expect(standing({ ...source, state: 'as_usual' }).tone).toBe('good');
    expect(standing({ ...source, state: 'new_state' })).toEqual({
      text: 'new_state',
      tone: 'plain',
      more: '',
    });
  });

  it('names a source by protocol and library', () => {
    expect(nameOf(source)).toBe('PostHog posthog-python');
    expect(nameOf({ ...source, library: null })).toBe('PostHog');
  });

  it('says rates as people do', () => {
    expect([0, 0.04, 0.1, 9.96, 12.5, 12_345.6].map(rate)).toEqual([
      '0',
      'under 0.1',
      '0.1',
      '10.0',
      '13',
      '12,346',
    ]);
  });

  it('tells the last hour in words', () => {
    expect(hourInWords([0, 0, 0])).toBe('No events in the last hour.');
    expect(hourInWords([10, 1_200, 0, 0])).toBe(
      '1,210 events in the last hour, at most 1,200 a minute, the newest 2 min ago.',
    );
    expect(hourInWords([0, 3])).toContain('the newest in this minute');
  });
});

describe('words for files', () => {
  const file: FileSource = {
    name: 'orders',
    from: 's3://exports',
    format: 'events',
    state: 'idle',
    objects: 10,
    done: 8,
    failed: [],
    changed: [],
    unknown: [],
    rows: 100,
    rejected: 2,
  };

  it('calls nothing up to date that somebody must look at', () => {
    expect(fileStanding(file)).toEqual({ text: 'Up to date', tone: 'good' });
    expect(fileStanding({ ...file, changed: ['a.csv'] }).tone).toBe('bad');
    expect(fileStanding({ ...file, state: 'working', changed: ['a.csv'] }).text).toBe('Working');
  });

  it('says what is wrong, a few of many', () => {
    expect(fileTroubles(file)).toEqual([]);
    const wrong = {
      ...file,
      reason: 'no bucket',
      changed: ['a', 'b', 'c', 'd'],
      failed: [{ object: 'e', reason: 'cut off' }],
    };
    expect(fileTroubles(wrong)).toEqual([
      'no bucket',
      'Changed after they were taken: a, b, c, …',
      'e cannot be read: cut off',
    ]);
  });
});
