import { Button } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { type Rule, useRules } from '../../api/books';
import { useZone } from '../../api/hooks';
import { Icon } from '../../ui/icons';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Empty, Failed, Loading } from '../../ui/states';
import { draftOf, emptyDraft } from './draft';
import { RuleForm } from './RuleForm';
import { RuleRow } from './RuleRow';
import classes from './rules.module.css';

const route = getRouteApi('/p/$project/rules');

/** What this project does not count or store, since when, and why. */
export function RulesPage() {
  const { project } = route.useParams();
  const zone = useZone(project);
  const { data, isPending, isError, error, refetch } = useRules(project);
  const [writing, setWriting] = useState<Rule | 'new' | null>(null);
  const rule = writing === 'new' ? null : writing;
  const add = (
    <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setWriting('new')}>
      New rule
    </Button>
  );
  return (
    <Page
      title="Rules"
      lead="Events that a rule drops are kept in the log and appear in the ledger as filtered, but no chart counts them. A rule decides from the moment it is in force."
      actions={!writing && Boolean(data?.length) && add}
    >
      <div className={classes.stack}>
        {writing && (
          <RuleForm
            key={rule ? `${rule.id}/${rule.version}` : 'new'}
            project={project}
            zone={zone}
            rule={rule}
            initial={(rule && draftOf(rule)) ?? emptyDraft}
            done={() => setWriting(null)}
          />
        )}
        {isPending && <Loading what="Reading the rules" />}
        {isError && !data && (
          <Panel>
            <Failed error={error} retry={() => void refetch()} what="The rules could not be read" />
          </Panel>
        )}
        {data && (data.length > 0 || !writing) && (
          <Panel title="Rules of this project" flush>
            {data.length === 0 && (
              <Empty title="No rules: everything that arrives is counted" action={add}>
                Drop the noise of a chatty integration, block a test device, or leave a property out that
                should not be stored.
              </Empty>
            )}
            <ul className={classes.list}>
              {data.map((r) => (
                <RuleRow key={r.id} project={project} zone={zone} rule={r} edit={() => setWriting(r)} />
              ))}
            </ul>
          </Panel>
        )}
      </div>
    </Page>
  );
}
