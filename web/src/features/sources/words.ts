/** The words for what a source does, in one place. */
import type { FileSource, Source } from '../../api/sources';
import { number } from '../../ui/format/number';

export interface Standing {
  text: string;
  /** `good`, `plain`, `wait` or `bad`; CSS knows what that means. */
  tone: 'good' | 'plain' | 'wait' | 'bad';
  /** What that means, in a sentence; empty if the text says it all. */
  more: string;
}

const STANDINGS: Record<string, Standing> = {
  as_usual: { text: 'As usual', tone: 'good', more: '' },
  learning: {
    text: 'New',
    tone: 'plain',
    more: 'Not seen for long enough to know what is usual.',
  },
  quiet: { text: 'Quiet', tone: 'plain', more: 'It sends nothing now, which is not unusual for it.' },
  silent: { text: 'Silent', tone: 'bad', more: 'It sends nothing, and usually does at this time.' },
  less: { text: 'Far less than usual', tone: 'bad', more: '' },
  more: { text: 'Far more than usual', tone: 'wait', more: '' },
  import: { text: 'Import', tone: 'plain', more: 'It ends on purpose: nobody is told.' },
  key_ended: { text: 'Key revoked', tone: 'plain', more: 'What it sends is not accepted any more.' },
  not_watched: { text: 'Not watched', tone: 'plain', more: 'Nobody is told if it falls silent.' },
};

export function standing(source: Source): Standing {
  return STANDINGS[source.state] ?? { text: source.state, tone: 'plain', more: '' };
}

/** Whose library it is: `PostHog posthog-python 3.1`; the protocol alone if the library does not say. */
export function nameOf(source: Source): string {
  return [source.protocol, source.library].filter(Boolean).join(' ');
}

/** Events per minute as people say it: small figures keep a digit. */
export function rate(perMinute: number): string {
  if (perMinute === 0) return '0';
  if (perMinute < 0.1) return 'under 0.1';
  return perMinute < 10 ? perMinute.toFixed(1) : number(Math.round(perMinute));
}

/** What the picture of the last hour shows, for whoever cannot see it. */
export function hourInWords(minutes: number[]): string {
  const sum = minutes.reduce((a, b) => a + b, 0);
  if (sum === 0) return 'No events in the last hour.';
  const idle = [...minutes].reverse().findIndex((n) => n > 0);
  const last = idle === 0 ? 'the newest in this minute' : `the newest ${idle} min ago`;
  return `${number(sum)} events in the last hour, at most ${number(Math.max(...minutes))} a minute, ${last}.`;
}

const FILE_STANDINGS: Record<string, Pick<Standing, 'text' | 'tone'>> = {
  new: { text: 'Not looked yet', tone: 'plain' },
  working: { text: 'Working', tone: 'good' },
  waiting: { text: 'Waiting for the server', tone: 'wait' },
  failing: { text: 'Failing', tone: 'bad' },
  idle: { text: 'Up to date', tone: 'good' },
};

/** How a bucket or folder is: what is wrong with its objects counts for more than that its round ended. */
export function fileStanding(file: FileSource): Pick<Standing, 'text' | 'tone'> {
  const s = FILE_STANDINGS[file.state] ?? { text: file.state, tone: 'plain' };
  const troubled = file.failed.length + file.changed.length > 0;
  return file.state === 'idle' && troubled ? { text: 'Needs a look', tone: 'bad' } : s;
}

/** What is wrong, a sentence each. */
export function fileTroubles(file: FileSource): string[] {
  const named = (objects: string[]) => objects.slice(0, 3).join(', ') + (objects.length > 3 ? ', …' : '');
  return [
    file.reason ?? '',
    file.changed.length > 0 ? `Changed after they were taken: ${named(file.changed)}` : '',
    ...file.failed.slice(0, 3).map((f) => `${f.object} cannot be read: ${f.reason}`),
    file.unknown.length > 0 ? `Of no known kind: ${named(file.unknown)}` : '',
  ].filter(Boolean);
}
