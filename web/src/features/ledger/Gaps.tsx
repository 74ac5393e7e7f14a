import type { LedgerGap } from '../../api/types';
import { DataTable } from '../../ui/DataTable';
import { number } from '../../ui/format/number';
import { Panel } from '../../ui/Panel';

const causes: Record<string, string> = {
  trimmed: 'Trimmed before it was read',
  corrupt: 'Damaged on disk: the checksum does not fit',
  hole: 'The log has no record here',
};

/** Parts of the log that could not be read: never hidden, always with a cause. */
export function Gaps({ gaps }: { gaps: LedgerGap[] }) {
  return (
    <Panel
      title="Gaps"
      note="Offsets that could not be read, and why. Everything around them is counted."
      flush
    >
      <DataTable
        caption="Gaps"
        rows={gaps}
        rowKey={(g) => `${g.lane}/${g.partition}/${g.from}`}
        columns={[
          { key: 'lane', head: 'Lane', heading: true, cell: (g) => `${g.lane} ${g.partition}` },
          { key: 'range', head: 'Offsets', cell: (g) => `${number(g.from)} – ${number(g.to)}` },
          { key: 'count', head: 'Records', numeric: true, cell: (g) => number(g.to - g.from) },
          { key: 'cause', head: 'Cause', cell: (g) => causes[g.cause] ?? g.cause },
          {
            key: 'evidence',
            head: 'Evidence',
            cell: (g) =>
              typeof g.evidence === 'string' ? g.evidence : g.evidence ? JSON.stringify(g.evidence) : '–',
          },
        ]}
      />
    </Panel>
  );
}
