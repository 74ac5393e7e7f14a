import { useZone } from '../../../api/hooks';
import type { Envelope } from '../../../api/types';
import { instant } from '../../../ui/format/time';
import { Partial } from '../../../ui/states';

interface Props {
  project: string;
  envelope: Envelope;
  open: boolean;
}

/** How far the numbers can be relied on. */
export function Notes({ project, envelope, open }: Props) {
  const zone = useZone(project);
  const until = envelope.complete_through;
  return (
    <>
      {open && (
        <Partial>
          What is dashed or hatched may still grow
          {until ? `: data is complete through ${instant(until, zone)}.` : '.'}
        </Partial>
      )}
      {envelope.restated && (
        <Partial>
          Late events or merged people have changed a closed period since it was first counted.
        </Partial>
      )}
    </>
  );
}
