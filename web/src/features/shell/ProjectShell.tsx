import { ActionIcon, Drawer } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { getRouteApi, Link, Outlet } from '@tanstack/react-router';
import { useEffect } from 'react';
import { useProject, useProjects } from '../../api/hooks';
import { Icon } from '../../ui/icons';
import { Wordmark } from '../../ui/Logo';
import { Freshness } from './Freshness';
import { rememberProject } from './lastProject';
import { Nav } from './Nav';
import { NotFound } from './NotFound';
import { ProjectSwitcher } from './ProjectSwitcher';
import { SchemeToggle } from './SchemeToggle';
import classes from './Shell.module.css';
import { UserMenu } from './UserMenu';

const route = getRouteApi('/p/$project');

/** What surrounds every view of a project. */
export function ProjectShell() {
  const { project } = route.useParams();
  const { isSuccess } = useProjects();
  const found = useProject(project);
  const [open, drawer] = useDisclosure(false);
  useEffect(() => {
    if (found) rememberProject(found.name);
  }, [found]);

  const unknown = isSuccess && !found;
  return (
    <div className={classes.shell}>
      <a href="#content" className="tm-skip">
        Skip to content
      </a>
      <header className={classes.bar}>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          onClick={drawer.open}
          aria-label="Open navigation"
        >
          <Icon name="menu" />
        </ActionIcon>
        <Link to="/p/$project" params={{ project }} className={classes.home} aria-label="Tallymark: overview">
          <Wordmark size={20} />
        </Link>
      </header>
      <aside className={classes.side} aria-label="Navigation">
        <Side project={project} />
      </aside>
      <Drawer opened={open} onClose={drawer.close} size={272} title={<Wordmark size={20} />} padding="sm">
        <Side project={project} onGo={drawer.close} bare />
      </Drawer>
      <main id="content" className={classes.content} tabIndex={-1}>
        {unknown ? <NotFound /> : <Outlet />}
      </main>
    </div>
  );
}

interface SideProps {
  project: string;
  onGo?: () => void;
  /** Without the name on top, where the drawer already shows it. */
  bare?: boolean;
}

function Side({ project, onGo, bare = false }: SideProps) {
  return (
    <div className={classes.sideInner}>
      {!bare && (
        <Link to="/p/$project" params={{ project }} className={classes.home} aria-label="Tallymark: overview">
          <Wordmark />
        </Link>
      )}
      <ProjectSwitcher project={project} />
      <Nav project={project} onGo={onGo} />
      <div className={classes.foot}>
        <Freshness project={project} />
        <div className={classes.footRow}>
          <UserMenu />
          <SchemeToggle />
        </div>
      </div>
    </div>
  );
}
