import { Button, Select } from '@mantine/core';
import { useState } from 'react';
import { books, type PreviewReport, type Rule, type RuleAction, useChanging } from '../../api/books';
import { JobFollower } from '../ledger/JobFollower';
import { FormError } from '../login/FormError';
import { PreviewResult } from './PreviewResult';
import { PERIODS, since } from './periods';
import classes from './rules.module.css';

interface Props {
  project: string;
  zone: string;
  action: RuleAction;
  rule: Rule | null;
  disabled: boolean;
}

/** "Try it first": the rule over what has arrived lately, without switching it on. */
export function TryRule({ project, zone, action, rule, disabled }: Props) {
  const [period, setPeriod] = useState('24 hours');
  const trial = useChanging(project, (tried: { action: RuleAction; period: string }) =>
    books.tryRule(project, {
      action: tried.action,
      from: since(tried.period) ?? '1970-01-01',
      ...(rule ? { id: rule.id } : {}),
    }),
  );
  const tried = trial.variables;
  const stale = tried && JSON.stringify(tried) !== JSON.stringify({ action, period });
  return (
    <div className={classes.trial}>
      <div className={classes.buttons}>
        <Button
          variant="light"
          disabled={disabled}
          loading={trial.isPending}
          onClick={() => trial.mutate({ action, period })}
        >
          Try it first
        </Button>
        <Select
          aria-label="Try it on"
          data={PERIODS.map((p) => ({ value: p, label: p === 'everything' ? p : `on the last ${p}` }))}
          value={period}
          onChange={(v) => v && setPeriod(v)}
          allowDeselect={false}
          w={190}
        />
      </div>
      <FormError error={trial.error} />
      {stale && trial.data && (
        <p className="tm-dim">The rule has changed since it was tried: try it again to see new numbers.</p>
      )}
      {trial.data && (
        <JobFollower key={trial.data.job.id} job={trial.data.job.id} doing="Trying">
          {(job) => (
            <PreviewResult
              project={project}
              zone={zone}
              report={job.report as unknown as PreviewReport}
              action={tried?.action ?? action}
              period={tried?.period ?? period}
            />
          )}
        </JobFollower>
      )}
    </div>
  );
}
