import { Link, Outlet } from '@tanstack/react-router';
import { useEffect } from 'react';
import { useSummary } from '../../api/operate';
import { Wordmark } from '../../ui/Logo';
import { SchemeToggle } from '../shell/SchemeToggle';
import { UserMenu } from '../shell/UserMenu';
import classes from './Operate.module.css';

/** What surrounds the pages about the instance as a whole. */
export function OperateShell() {
  const { data } = useSummary();
  useEffect(() => {
    document.title = 'Operate · Tallymark';
  }, []);
  const waiting = data?.unacknowledged ?? 0;
  return (
    <div className={classes.frame}>
      <a href="#content" className="tm-skip">
        Skip to content
      </a>
      <header className={classes.top}>
        <Link to="/" className={classes.home} aria-label="Tallymark: back to the projects">
          <Wordmark size={22} />
        </Link>
        <nav aria-label="Operate" className={classes.tabs}>
          <Link to="/operate" activeOptions={{ exact: true }}>
            Problems{waiting > 0 && <span className={classes.count}>{waiting}</span>}
          </Link>
          <Link to="/operate/jobs">Jobs</Link>
          <Link to="/operate/care">Backups</Link>
          <Link to="/operate/settings">Settings</Link>
          <Link to="/status">Status page</Link>
        </nav>
        {data && (
          <span className={classes.environment} data-protected={data.protected || undefined}>
            {data.environment}
          </span>
        )}
        <div className={classes.user}>
          <UserMenu />
        </div>
        <SchemeToggle />
      </header>
      <main id="content" tabIndex={-1} className={classes.main}>
        <Outlet />
      </main>
    </div>
  );
}
