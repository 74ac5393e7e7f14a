import { Button, Progress } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { type Job, operate, useDoing, useJobs, type Wish } from '../../api/operate';
import { Ago } from '../../ui/Ago';
import { number } from '../../ui/format/number';
import { hourMinute } from '../../ui/format/time';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import { KINDS } from './kinds';
import { NewJobForm } from './NewJobForm';
import classes from './Operate.module.css';
import { ZONE } from './zone';

const route = getRouteApi('/operate/jobs');

/** Long work: what was asked for, how far it is, what came out. */
export function JobsPage() {
  const { kind } = route.useSearch();
  const [asking, setAsking] = useState(kind !== undefined);
  const { data, isPending, isError, error, refetch } = useJobs();
  return (
    <Page
      title="Jobs"
      lead="They run beside live processing, which always goes first. A job that is interrupted, even by a crash, goes on where it was."
      actions={!asking && <Button onClick={() => setAsking(true)}>New job</Button>}
    >
      {asking && <NewJobForm initial={kind} done={() => setAsking(false)} />}
      {isPending && <Loading />}
      {isError && !data && (
        <Failed error={error} retry={() => void refetch()} what="Jobs could not be read" />
      )}
      {data && (
        <Panel flush>
          {data.length === 0 && <Empty title="No job was asked for yet" />}
          <ul className={classes.list}>
            {data.map((job) => (
              <JobRow key={job.id} job={job} />
            ))}
          </ul>
        </Panel>
      )}
    </Page>
  );
}

function JobRow({ job }: { job: Job }) {
  const steer = useDoing((wish: Wish) => operate.steer(job.id, wish));
  const over = ['done', 'failed', 'cancelled'].includes(job.state);
  const share = job.progress.total > 0 ? (100 * job.progress.done) / job.progress.total : 0;
  const button = (wish: Wish, label: string) => (
    <Button size="xs" variant="default" loading={steer.isPending} onClick={() => steer.mutate(wish)}>
      {label}
    </Button>
  );
  return (
    <li className={classes.item} data-severity={job.state === 'failed' ? 'critical' : undefined}>
      <div className={classes.itemHead}>
        <h3>
          #{job.id} {KINDS.find((k) => k.kind === job.kind)?.name ?? job.kind}
          {job.dry_run && ' (dry run)'}
        </h3>
        <span className={classes.tag}>{job.state}</span>
      </div>
      <p className={classes.meta}>
        {job.by}, <Ago at={job.created_at} zone={ZONE} />
        {job.reason && `: ${job.reason}`}
      </p>
      {!over && job.progress.total > 0 && (
        <>
          <Progress value={share} aria-label={`Progress of job ${job.id}`} />
          <p className={classes.meta}>
            {number(job.progress.done)} of {number(job.progress.total)} {job.progress.unit}
            {job.progress.eta && `, done at about ${hourMinute(job.progress.eta, ZONE)}`}
            {job.progress.note && `. ${job.progress.note}`}
          </p>
        </>
      )}
      {job.error && <p className={classes.wrong}>{job.error}</p>}
      {over && <Report report={job.report} />}
      {!over && (
        <div className={classes.buttons}>
          {job.wish === 'pause' ? button('resume', 'Go on') : button('pause', 'Pause')}
          {button('cancel', 'Cancel')}
        </div>
      )}
    </li>
  );
}

/** What came out, figures first; everything else on request. */
function Report({ report }: { report: unknown }) {
  if (report === null || typeof report !== 'object') return null;
  const figures = Object.entries(report).filter(([, v]) => typeof v === 'number' || typeof v === 'boolean');
  return (
    <>
      {figures.length > 0 && (
        <dl className={classes.small}>
          {figures.map(([name, v]) => (
            <div key={name}>
              <dt>{name.replace(/_/g, ' ')}</dt>
              <dd>{typeof v === 'number' ? number(Math.round(v * 100) / 100) : v ? 'yes' : 'no'}</dd>
            </div>
          ))}
        </dl>
      )}
      <details className={classes.details}>
        <summary>Whole report</summary>
        <pre>{JSON.stringify(report, null, 2)}</pre>
      </details>
    </>
  );
}
