import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import { type StatusPageData, statusPage } from '../../api/watch';
import { Ago } from '../../ui/Ago';
import { Icon } from '../../ui/icons';
import { Wordmark } from '../../ui/Logo';
import { Panel } from '../../ui/Panel';
import { Failed, Loading } from '../../ui/states';
import { SchemeToggle } from '../shell/SchemeToggle';
import { Backlog } from './Backlog';
import { Components } from './Components';
import { Incidents } from './Incidents';
import { Maintenance } from './Maintenance';
import classes from './Status.module.css';
import { toneOfPage } from './words';

export const useStatus = () =>
  useQuery({ queryKey: ['status'], queryFn: ({ signal }) => statusPage(signal), refetchInterval: 10_000 });

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** How the service is, for everybody: made by monitors, not by hand. */
export function StatusPage() {
  const { data, isPending, isError, error, refetch } = useStatus();
  return (
    <StatusFrame title={data?.name ?? 'Status'}>
      {isPending && <Loading tall what="Asking how things are" />}
      {isError && !data && (
        <Panel>
          <Failed error={error} retry={() => void refetch()} what="The status could not be read" />
        </Panel>
      )}
      {data && <Whole page={data} />}
    </StatusFrame>
  );
}

function Whole({ page }: { page: StatusPageData }) {
  const open = page.incidents.filter((i) => !i.resolved_at);
  const past = page.incidents.filter((i) => i.resolved_at);
  return (
    <>
      <section className={classes.banner} data-tone={toneOfPage(page)} aria-label="Overall status">
        <Icon name={toneOfPage(page) === 'fine' ? 'check' : 'warning'} size={26} />
        <div>
          <h2 className={classes.verdict}>{page.description}</h2>
          <p className={classes.sentence}>{page.loss_sentence}</p>
        </div>
        <p className={classes.looked}>
          {page.watched_at ? (
            <>
              Looked <Ago at={new Date(page.watched_at).toISOString()} zone={ZONE} />
            </>
          ) : (
            'Not watched yet'
          )}
        </p>
      </section>
      {page.stale && (
        <p className={classes.stale} role="status">
          The process that watches has been silent, so what follows may be out of date.
        </p>
      )}
      {open.length > 0 && <Incidents title="Happening now" incidents={open} zone={ZONE} />}
      <Backlog now={page.eta} history={page.eta_history} zone={ZONE} />
      <Components components={page.components} />
      <Maintenance windows={page.maintenance} now={page.at} zone={ZONE} />
      <Incidents
        title="Past incidents"
        incidents={past}
        zone={ZONE}
        empty="Nothing has gone wrong in the time that is kept."
      />
      <footer className={classes.feeds}>
        <span>Follow:</span>
        <a href="/status/history.rss">RSS</a>
        <a href="/status/history.atom">Atom</a>
        <a href="/status/api/v2/summary.json">JSON</a>
        <span className={classes.zone}>Times in {ZONE}</span>
      </footer>
    </>
  );
}

/** What surrounds public pages: no session needed, nothing of a project shown. */
export function StatusFrame({ title, children }: { title: string; children: React.ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Status`;
  }, [title]);
  return (
    <div className={classes.frame}>
      <a href="#content" className="tm-skip">
        Skip to content
      </a>
      <header className={classes.top}>
        <Link to="/status" className={classes.home} aria-label={`${title}: status`}>
          <Wordmark size={22} />
        </Link>
        <h1 className={classes.name}>{title} status</h1>
        <SchemeToggle />
      </header>
      <main id="content" tabIndex={-1} className={classes.main}>
        {children}
      </main>
    </div>
  );
}
