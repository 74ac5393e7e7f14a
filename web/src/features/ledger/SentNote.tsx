import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import { useOutcomes } from '../../api/books';
import { Icon } from '../../ui/icons';
import type { Sent } from './Letter';
import classes from './ledger.module.css';
import { outcomeNames } from './outcomes';

interface Props {
  project: string;
  sent: Sent;
  unowned: boolean;
  /** The list of dead letters does not have it any more. */
  gone: boolean;
}

const LOOK_AGAIN_MS = 1_000;

/** Follows a letter that was tried again until it is dead no more, and says what became of it. */
export function SentNote({ project, sent, unowned, gone }: Props) {
  const client = useQueryClient();
  const found = useOutcomes(project, gone && !unowned ? sent.position : null);
  useEffect(() => {
    const keys = [
      [project, 'dead'],
      ['operate', 'unowned'],
    ];
    const look = () => {
      for (const queryKey of keys) void client.invalidateQueries({ queryKey });
    };
    if (gone) {
      void client.invalidateQueries({ queryKey: [project, 'ledger'] });
      return;
    }
    const timer = setInterval(look, LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [gone, client, project]);
  const outcome = found.data?.[0]?.outcome;
  return (
    <p className={classes.sent} role="status" data-settled={gone || undefined}>
      <Icon name={gone ? 'check' : 'clock'} size={16} />
      <span>
        {!gone && `“${sent.event}” was sent on its way and is decided within seconds… `}
        {gone && `“${sent.event}” was understood and is now an event of this project`}
        {gone && (outcome ? `: ${(outcomeNames[outcome] ?? outcome).toLowerCase()}. ` : '. ')}
        {gone && !unowned && (
          <Link
            to="/p/$project/ledger"
            params={{ project }}
            search={{ event: sent.position }}
            resetScroll={false}
          >
            What became of it
          </Link>
        )}
        {gone && unowned && (
          <Link to="/p/$project/events" params={{ project }} search={{ event: sent.event }}>
            Look at it
          </Link>
        )}
      </span>
    </p>
  );
}
