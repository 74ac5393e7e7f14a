import { Link } from '@tanstack/react-router';
import { useZone } from '../../../api/hooks';
import type { Envelope } from '../../../api/types';
import { seconds } from '../../../ui/format/duration';
import { instant } from '../../../ui/format/time';
import { Partial } from '../../../ui/states';
import { gapNotes, lag } from '../shape/gaps';

interface Props {
  project: string;
  envelope: Envelope;
  open: boolean;
}

/** Answers that are this much behind say so even where nothing is drawn dashed. */
const LATE_S = 60;

/** How far the numbers can be relied on. */
export function Notes({ project, envelope, open }: Props) {
  const zone = useZone(project);
  const late = lag(envelope);
  const until = late === null ? null : envelope.complete_through;
  return (
    <>
      {envelope.stale && (
        <Partial>
          These numbers are as of {instant(envelope.stale.since, zone)}: {envelope.stale.reason}. Events are
          still collected, and will be counted when it is back.
        </Partial>
      )}
      {gapNotes(envelope.gaps ?? [], zone).map((n) => (
        <Partial key={n.state}>
          {n.text}
          {n.reasons.length > 0 && ` Reason: ${n.reasons.join('; ')}.`}{' '}
          <Link to="/p/$project/ledger" params={{ project }} search={{}}>
            See the ledger
          </Link>
        </Partial>
      ))}
      {open && (
        <Partial>
          What is dashed or hatched may still grow
          {until ? `: data is complete through ${instant(until, zone)}.` : '.'}
        </Partial>
      )}
      {!open && envelope.complete === false && late !== null && late > LATE_S && (
        <Partial>
          The newest events are still being counted: these numbers are {seconds(late)} behind, complete
          through {instant(until, zone)}.
        </Partial>
      )}
      {envelope.restated && (
        <Partial>
          Late events, merged people or a later decision have changed a closed period since it was first
          counted.
        </Partial>
      )}
    </>
  );
}
