import { Button, Select, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { type ReprocessReport, type Rule, useStartJob } from '../../api/books';
import { type NewJob, operate } from '../../api/operate';
import { DataTable } from '../../ui/DataTable';
import { count, number } from '../../ui/format/number';
import { JobFollower } from '../ledger/JobFollower';
import { FormError } from '../login/FormError';
import { PERIODS, since } from './periods';
import classes from './rules.module.css';

interface Props {
  project: string;
  rule: Rule;
}

/** Decides stored events again by the rules of now. Numbers first; nothing is written before they were seen. */
export function ApplyPast({ project, rule }: Props) {
  const [period, setPeriod] = useState('30 days');
  // The span is fixed when the numbers are asked for, so that what is applied is what was shown.
  const [spec, setSpec] = useState<{ received_from?: string } | null>(null);
  const [typed, setTyped] = useState('');
  const dry = useStartJob(project);
  const real = useStartJob(project);
  const scope = useMutation({ mutationFn: (body: NewJob) => operate.scope(body) });
  const body = (span: { received_from?: string }, dry_run: boolean): NewJob => ({
    kind: 'reprocess',
    project,
    reason: `rule “${rule.name}” applied to the past`,
    spec: span as never,
    dry_run,
    confirm: !dry_run && typed ? typed : null,
  });
  const look = () => {
    const from = since(period);
    const span = from ? { received_from: from } : {};
    setSpec(span);
    setTyped('');
    real.reset();
    scope.mutate(body(span, false));
    dry.mutate(body(span, true));
  };
  const mustType = scope.data?.protected && scope.data.destructive;
  return (
    <div className={classes.form}>
      <p className={classes.meta}>
        A rule normally decides only about what arrives after it. Here, events that are stored already are
        decided again by all rules of this project as they stand now. What they drop is no longer counted, and
        what no rule drops any more comes back. The ledger shows every change.
      </p>
      <div className={classes.buttons}>
        <Select
          aria-label="Received"
          data={PERIODS.map((p) => ({ value: p, label: p === 'everything' ? p : `the last ${p}` }))}
          value={period}
          onChange={(v) => {
            if (v) setPeriod(v);
            setSpec(null);
          }}
          allowDeselect={false}
          w={170}
        />
        <Button variant="light" onClick={look} loading={dry.isPending}>
          See what would change
        </Button>
      </div>
      <FormError error={dry.error ?? scope.error} />
      {spec && dry.data && !real.data && (
        <JobFollower key={dry.data.id} job={dry.data.id} doing="Counting what would change">
          {(job) => {
            const report = job.report as unknown as ReprocessReport;
            return (
              <>
                <Changes report={report} done={false} />
                {report.changed > 0 && (
                  <>
                    {mustType && (
                      <TextInput
                        label={`Type “${scope.data?.environment}” to confirm`}
                        description="This environment is protected."
                        value={typed}
                        onChange={(e) => setTyped(e.currentTarget.value)}
                        autoComplete="off"
                      />
                    )}
                    <FormError error={real.error} />
                    <div className={classes.buttons}>
                      <Button
                        onClick={() => real.mutate(body(spec, false))}
                        loading={real.isPending}
                        disabled={scope.isPending || Boolean(mustType && typed !== scope.data?.environment)}
                      >
                        Apply to {count(report.changed, 'event')}
                      </Button>
                    </div>
                  </>
                )}
              </>
            );
          }}
        </JobFollower>
      )}
      {real.data && (
        <JobFollower key={real.data.id} job={real.data.id} doing="Applying">
          {(job) => <Changes report={job.report as unknown as ReprocessReport} done />}
        </JobFollower>
      )}
    </div>
  );
}

function Changes({ report, done }: { report: ReprocessReport; done: boolean }) {
  const looked = `${count(report.examined, 'stored event')} looked at`;
  if (report.changed === 0)
    return (
      <p>
        {looked}: nothing {done ? 'had to change' : 'would change'}.
      </p>
    );
  return (
    <>
      <p className={classes.outcome}>
        {looked}: {number(report.changed)} {done ? 'changed' : 'would change'}.
      </p>
      <DataTable
        caption={done ? 'What changed' : 'What would change'}
        rows={report.changes}
        rowKey={(c, i) => `${c.was}${c.now}${i}`}
        columns={[
          { key: 'was', head: 'Was', heading: true, cell: (c) => c.was },
          { key: 'now', head: done ? 'Is now' : 'Would be', cell: (c) => nowText(c) },
          { key: 'n', head: 'Events', numeric: true, cell: (c) => number(c.records) },
        ]}
      />
    </>
  );
}

function nowText({ was, now }: { was: string; now: string }): string {
  return was === now ? `${now}, with other properties` : now;
}
