/** Does the identity hold? One judgement for the badge, the overview and the ledger page. */
import type { Identity, Ledger } from '../../api/types';
import { count } from '../../ui/format/number';

export interface Verdict {
  /** `gap`: the books close, but part of the log could not be read. */
  state: 'good' | 'waiting' | 'gap' | 'bad';
  /** Two words for the stamp. */
  stamp: string;
  /** For the badge. */
  short: string;
  /** For the page. */
  long: string;
}

/** The right side of the identity. */
export function accounted(i: Identity): number {
  return i.visible + i.duplicate + i.filtered + i.dead + i.pending;
}

/** acknowledged − everything that became of it: 0 when the books close. */
export function difference(i: Identity): number {
  return i.acknowledged - accounted(i);
}

type Books = Pick<Ledger, 'identity' | 'gaps'> & Partial<Pick<Ledger, 'skipped'>>;

/** Records of this server that were passed by on purpose. */
export function skippedRecords(ledger: Partial<Pick<Ledger, 'skipped'>>): number {
  return (ledger.skipped ?? []).reduce((n, s) => n + s.to - s.from, 0);
}

export function verdict(ledger: Books): Verdict {
  const i = ledger.identity;
  const off = difference(i);
  if (!i.balanced || off !== 0) {
    return {
      state: 'bad',
      stamp: 'Not balanced',
      short: 'Does not balance',
      long: `The books do not close: ${off === 0 ? 'the server reports an imbalance' : `${Math.abs(off)} events ${off > 0 ? 'are missing from' : 'too many on'} the right side`}. Run “tallymark verify” on the server.`,
    };
  }
  if (ledger.gaps.length > 0) {
    return {
      state: 'gap',
      stamp: 'Balanced, with gaps',
      short: `${ledger.gaps.length} ${ledger.gaps.length === 1 ? 'gap' : 'gaps'} in the log`,
      long: 'The books close, but part of the log could not be read. Each gap is listed below with its cause.',
    };
  }
  const skipped = skippedRecords(ledger);
  if (skipped > 0) {
    const what = count(skipped, 'record');
    return {
      state: 'gap',
      stamp: 'Balanced, with skips',
      short: `${what} skipped`,
      long: `The books close, but ${what} of this server ${skipped === 1 ? 'was' : 'were'} passed by on purpose. No chart counts them until they are replayed: see below.`,
    };
  }
  if (i.pending > 0) {
    return {
      state: 'waiting',
      stamp: 'Balanced',
      short: 'All accounted for',
      long: 'Balanced. What is pending is safe on disk and will be visible within seconds.',
    };
  }
  return {
    state: 'good',
    stamp: 'Balanced',
    short: 'All accounted for',
    long: 'Balanced. Everything that was acknowledged has been given its place.',
  };
}
