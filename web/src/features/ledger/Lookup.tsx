import { Button, TextInput } from '@mantine/core';
import { Link, useNavigate } from '@tanstack/react-router';
import { type ReactNode, useEffect, useState } from 'react';
import { type Outcome, useOutcomes } from '../../api/books';
import { ApiError } from '../../api/errors';
import { instant } from '../../ui/format/time';
import { Icon } from '../../ui/icons';
import { Panel } from '../../ui/Panel';
import { Failed, Loading } from '../../ui/states';
import classes from './Lookup.module.css';
import { decidedHow, outcomeNames, sentence } from './outcomes';

interface Props {
  project: string;
  zone: string;
  /** What is being looked up, from the address of the page. */
  wanted: string;
}

/** "What became of this event?", answered from the books and naming who decided. */
export function Lookup({ project, zone, wanted }: Props) {
  const [typed, setTyped] = useState(wanted);
  useEffect(() => setTyped(wanted), [wanted]);
  const navigate = useNavigate();
  const found = useOutcomes(project, wanted || null);
  const again = (event: string) =>
    void navigate({
      to: '/p/$project/ledger',
      params: { project },
      search: event ? { event } : {},
      resetScroll: false,
    });
  const unknown = found.error instanceof ApiError && found.error.code === 'TM0810';
  return (
    <Panel
      title="What became of this event?"
      note="Give the insert id that the sender chose, or a position such as live/0@123, as receipts and lists show it."
    >
      <search>
        <form
          className={classes.form}
          onSubmit={(e) => {
            e.preventDefault();
            again(typed.trim());
            if (typed.trim() === wanted && wanted) void found.refetch();
          }}
        >
          <TextInput
            aria-label="Insert id or position"
            placeholder="Insert id or position"
            leftSection={<Icon name="search" size={16} />}
            value={typed}
            onChange={(e) => setTyped(e.currentTarget.value)}
            spellCheck={false}
            autoComplete="off"
          />
          <Button type="submit" variant="default" disabled={typed.trim() === ''} loading={found.isFetching}>
            Look it up
          </Button>
        </form>
      </search>
      <div aria-live="polite">
        {wanted && found.isPending && <Loading what="Looking" />}
        {unknown && (
          <p className={classes.none}>
            No record “{wanted}” is known in this project. Either it never arrived here, or it is older than
            what the log still holds.
          </p>
        )}
        {found.isError && !unknown && (
          <Failed error={found.error} retry={() => void found.refetch()} what="This could not be looked up" />
        )}
        <ul className={classes.list}>
          {!found.isError &&
            found.data?.map((o) => (
              <Answer key={o.position} project={project} outcome={o} zone={zone} look={again} />
            ))}
        </ul>
      </div>
    </Panel>
  );
}

interface AnswerProps {
  project: string;
  outcome: Outcome;
  zone: string;
  look: (event: string) => void;
}

function Answer({ project, outcome: o, zone, look }: AnswerProps) {
  return (
    <li className={classes.answer} data-outcome={o.outcome}>
      <p className={classes.verdict}>
        <b>{outcomeNames[o.outcome] ?? o.outcome}</b> {sentence(o)}
      </p>
      {o.rule && <DecidedBy project={project} rule={o.rule} zone={zone} />}
      {o.witness && (
        <p>
          <Button variant="default" size="compact-sm" onClick={() => look(o.witness ?? '')}>
            Look at the one that counts: {o.witness}
          </Button>
        </p>
      )}
      <dl className={classes.facts}>
        {o.event && <Fact name="Event">{o.event}</Fact>}
        {o.insert_id && <Fact name="Insert id">{o.insert_id}</Fact>}
        <Fact name="Position">{o.position}</Fact>
        {o.received_at && <Fact name="Received">{instant(o.received_at, zone)}</Fact>}
        {o.decided_at && (
          <Fact name="Decided">
            {instant(o.decided_at, zone)} {decidedHow(o)}
          </Fact>
        )}
        {o.commit != null && <Fact name="Commit">{o.commit}</Fact>}
      </dl>
    </li>
  );
}

function DecidedBy({
  project,
  rule,
  zone,
}: {
  project: string;
  rule: NonNullable<Outcome['rule']>;
  zone: string;
}) {
  if (rule.version == null && !rule.made_at) {
    return <p className={classes.rule}>It was not a rule of the project: {rule.name}.</p>;
  }
  return (
    <p className={classes.rule}>
      The rule was{' '}
      <Link to="/p/$project/rules" params={{ project }}>
        “{rule.name}”
      </Link>
      {rule.version != null && `, version ${rule.version}`}
      {rule.by && ` by ${rule.by.replace(/^user:/, '')}`}
      {rule.made_at && `, made ${instant(rule.made_at, zone)}`}
      {rule.reason && `, because: ${rule.reason}`}.
      {rule.since && ` In this part of the log it is in force since position ${rule.since}.`}
    </p>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
