import { Button } from '@mantine/core';
import { useState } from 'react';
import { type Source, useDecideSource } from '../../api/sources';
import { Ago } from '../../ui/Ago';
import { Sparkline } from '../../ui/charts/Sparkline';
import { FormError } from '../login/FormError';
import classes from './WhoSends.module.css';
import { hourInWords, nameOf, rate, standing } from './words';

interface Props {
  project: string;
  zone: string;
  source: Source;
}

/** One source: who it is, how it is, what it sends now against what is usual, and what can be decided about it. */
export function SourceRow({ project, zone, source }: Props) {
  const decide = useDecideSource(project, source.id);
  const [ending, setEnding] = useState(false);
  const s = standing(source);
  const name = nameOf(source);
  const small = { size: 'compact-sm', variant: 'default' } as const;
  // The last minute has not ended.
  const open = source.minutes.map((_, i) => i === source.minutes.length - 1);
  return (
    <li className={classes.source} aria-label={`${name}, ${source.key}`}>
      <div className={classes.who}>
        <h3>
          {name} {source.library_version && <span>{source.library_version}</span>}
        </h3>
        <p>{source.key}</p>
      </div>
      <div className={classes.how}>
        <span className={classes.standing} data-tone={s.tone}>
          {s.text}
        </span>
        <p>
          Last event <Ago at={source.last_event} zone={zone} />
        </p>
      </div>
      <div className={classes.volume}>
        <Sparkline
          values={source.minutes}
          incomplete={open}
          width={132}
          color={s.tone === 'bad' ? 'var(--tm-pen)' : undefined}
        />
        <span className={classes.unseen}>{hourInWords(source.minutes)}</span>
        <p>
          <b>{rate(source.rate)}</b> a minute now,{' '}
          {source.state === 'learning' ? 'usually not known yet' : `usually ${rate(source.usual_rate)}`}
        </p>
      </div>
      {s.more && <p className={classes.more}>{s.more}</p>}
      <div className={classes.buttons}>
        {ending ? (
          <>
            <span>Forget this source? Its events stay.</span>
            <Button {...small} loading={decide.isPending} onClick={() => decide.mutate('end')}>
              Yes, it ended
            </Button>
            <Button {...small} onClick={() => setEnding(false)}>
              Keep it
            </Button>
          </>
        ) : (
          <>
            {source.lane === 'live' && source.state !== 'key_ended' && (
              <Button
                {...small}
                loading={decide.isPending}
                onClick={() => decide.mutate(source.watched ? 'unwatch' : 'watch')}
                aria-label={`${source.watched ? 'Stop watching' : 'Watch'} ${name}`}
              >
                {source.watched ? 'Stop watching' : 'Watch'}
              </Button>
            )}
            <Button {...small} onClick={() => setEnding(true)} aria-label={`${name} ended`}>
              It ended
            </Button>
          </>
        )}
      </div>
      <FormError error={decide.error} />
    </li>
  );
}
