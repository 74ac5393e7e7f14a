import { type Rule, useVersions } from '../../api/books';
import { DataTable } from '../../ui/DataTable';
import { number } from '../../ui/format/number';
import { instant } from '../../ui/format/time';
import { Failed, Loading } from '../../ui/states';
import { actionText, standing } from './draft';
import classes from './rules.module.css';

interface Props {
  project: string;
  zone: string;
  rule: Rule;
}

/** Every version, and from which record on each part of the log obeys the newest one. */
export function RuleHistory({ project, zone, rule }: Props) {
  const versions = useVersions(project, rule.id, true);
  return (
    <>
      {versions.isPending && <Loading what="Reading the versions" />}
      {versions.isError && !versions.data && (
        <Failed error={versions.error} retry={() => void versions.refetch()} />
      )}
      {versions.data && (
        <DataTable
          caption={`Versions of ${rule.name}`}
          rows={[...versions.data].reverse()}
          rowKey={(v) => v.version}
          columns={[
            { key: 'v', head: 'Version', heading: true, cell: (v) => v.version },
            { key: 'made', head: 'Made', cell: (v) => instant(v.made_at, zone) },
            { key: 'by', head: 'By', cell: (v) => v.by.replace(/^user:/, '') },
            {
              key: 'does',
              head: 'What it does',
              cell: (v) => (v.enabled ? actionText(v.action) : 'Nothing: off.'),
            },
            { key: 'why', head: 'Why', wide: true, cell: (v) => v.reason || '–' },
            {
              key: 'state',
              head: 'State',
              cell: (v) => (v.version === rule.version ? standing(v).text : 'Replaced'),
            },
          ]}
        />
      )}
      <p className={classes.meta}>
        {rule.in_force.length === 0
          ? 'No part of the log has reached this version yet.'
          : 'The log is written in several parts at once. In each of them, records from this position on are decided by the newest version:'}
      </p>
      {rule.in_force.length > 0 && (
        <DataTable
          caption={`Where ${rule.name} is in force`}
          rows={rule.in_force}
          rowKey={(p) => p.position}
          columns={[
            { key: 'lane', head: 'Part', heading: true, cell: (p) => `${p.lane} ${p.partition}` },
            { key: 'offset', head: 'From offset', numeric: true, cell: (p) => number(p.offset) },
            { key: 'position', head: 'Position', cell: (p) => <code>{p.position}</code> },
          ]}
        />
      )}
    </>
  );
}
