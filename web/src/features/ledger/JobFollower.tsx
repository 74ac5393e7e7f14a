import { Progress } from '@mantine/core';
import type { ReactNode } from 'react';
import { over, useJob } from '../../api/books';
import type { Job } from '../../api/operate';
import { number } from '../../ui/format/number';
import { Failed, Partial } from '../../ui/states';
import classes from './ledger.module.css';

interface Props {
  job: string;
  /** What is being done: "Replaying". */
  doing: string;
  children: (job: Job) => ReactNode;
}

/** Follows a job to its end, then shows what came out. Leaving the page does not end the job. */
export function JobFollower({ job, doing, children }: Props) {
  const { data, error, isError, refetch } = useJob(job);
  if (isError && !data) {
    return <Failed error={error} retry={() => void refetch()} what="The job could not be read" />;
  }
  if (!data || !over(data)) {
    const { done = 0, total = 0, unit = 'records', note = '' } = data?.progress ?? {};
    return (
      <div className={classes.job} role="status">
        <p>
          {doing}…{total > 0 && ` ${number(done)} of ${number(total)} ${unit}`}
          {note && `. ${note}`}
        </p>
        <Progress value={total > 0 ? (100 * done) / total : 0} aria-label={doing} />
      </div>
    );
  }
  if (data.state !== 'done') {
    return (
      <p className={classes.wrong} role="alert">
        {data.state === 'cancelled'
          ? 'It was cancelled.'
          : `It failed: ${data.error ?? 'no reason was given'}`}
      </p>
    );
  }
  return (
    <div role="status" className={classes.job}>
      {data.progress.note && <Partial>{data.progress.note}</Partial>}
      {children(data)}
    </div>
  );
}
