/** What became of a record, in sentences. Pure. */
import type { Outcome } from '../../api/books';

export const outcomeNames: Record<string, string> = {
  visible: 'Visible',
  duplicate: 'Duplicate',
  filtered: 'Filtered',
  dead: 'Dead letter',
  pending: 'Pending',
  skipped: 'Skipped',
  lost: 'Lost',
  hole: 'Never used',
  control: 'Entry of the books',
};

/** One sentence that answers "what became of it?"; names of rules and people are added beside it. */
export function sentence(o: Outcome): string {
  const why = o.reason?.message ? `: ${o.reason.message}` : '';
  switch (o.outcome) {
    case 'visible':
      return 'It is stored, and every chart that asks for it counts it.';
    case 'duplicate':
      return 'The same event had arrived before. That one is counted; this one is not, so that nothing counts twice.';
    case 'filtered':
      return 'A rule of this project dropped it, so no chart counts it. It stays in the log, and in the books as filtered.';
    case 'dead':
      return `It could not be understood${why}. It is kept with its bytes below, where it can be mended and tried again.`;
    case 'pending':
      return 'It is safe on disk and waits for its turn.';
    case 'skipped':
      return `It was passed by on purpose${why}. It is still in the log and will be counted once it is replayed.`;
    case 'lost':
      return `It cannot be read any more${why}.`;
    case 'control':
      return 'This position holds an entry of the books themselves, such as a rule. It is no event.';
    case 'hole':
      return 'No event was ever written at this position.';
    default:
      return `It is ${o.outcome}${why}.`;
  }
}

const origins: Record<string, string> = {
  live: 'as it arrived',
  skip: 'when its range was skipped',
  replay: 'by a replay',
  reprocess: 'when rules were applied to the past',
  redrive: 'when it was mended and tried again',
  compaction: 'when a person was erased',
  repair: 'by a repair',
};

/** "as it arrived", "by a replay, after 2 earlier decisions". */
export function decidedHow(o: Outcome): string {
  const how = origins[o.origin ?? ''] ?? o.origin ?? '';
  const earlier = o.decisions - 1;
  return earlier > 0
    ? `${how}, after ${earlier === 1 ? 'an earlier decision' : `${earlier} earlier decisions`}`
    : how;
}
