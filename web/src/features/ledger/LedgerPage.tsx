import { getRouteApi } from '@tanstack/react-router';
import { useLedger, useZone } from '../../api/hooks';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Failed, Loading } from '../../ui/states';
import { DeadLetters, UnownedLetters } from './DeadLetters';
import { Equation } from './Equation';
import { Freshness } from './Freshness';
import { Gaps } from './Gaps';
import { Hours } from './Hours';
import { Lanes } from './Lanes';
import { Lookup } from './Lookup';
import classes from './ledger.module.css';
import { Reading } from './Reading';
import { Restated } from './Restated';
import { SkippedRanges } from './SkippedRanges';

const route = getRouteApi('/p/$project/ledger');

/** The books: what was promised to senders, and what became of it. */
export function LedgerPage() {
  const { project } = route.useParams();
  const { event = '' } = route.useSearch();
  const zone = useZone(project);
  const { data, isError, error, refetch, isPending } = useLedger(project, 5000);
  return (
    <Page
      title="Ledger"
      lead="Every event that was acknowledged to a sender is written to disk and appears here exactly once, under what became of it."
    >
      {isPending && <Loading tall what="Adding up" />}
      {isError && !data && (
        <Panel>
          <Failed error={error} retry={() => void refetch()} what="The ledger could not be read" />
        </Panel>
      )}
      {data && (
        <div className={classes.stack}>
          <Reading />
          <Equation ledger={data} zone={zone} />
          <Lookup project={project} zone={zone} wanted={event} />
          <Freshness ledger={data} zone={zone} />
          {data.gaps.length > 0 && <Gaps gaps={data.gaps} />}
          <SkippedRanges project={project} skipped={data.skipped} zone={zone} />
          <Restated restatements={data.restatements} zone={zone} />
          <Lanes lanes={data.lanes} zone={zone} />
          <Hours intervals={data.intervals} leftOut={data.intervals_left_out ?? 0} zone={zone} />
          <DeadLetters project={project} zone={zone} dead={data.identity.dead} />
          <UnownedLetters project={project} zone={zone} />
        </div>
      )}
    </Page>
  );
}
