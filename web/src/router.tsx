/** The map of the app: which address shows which view, and who may see it. */
import type { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  type ErrorComponentProps,
  lazyRouteComponent,
  redirect,
  useRouter,
} from '@tanstack/react-router';
import { projectsQuery, sessionQuery } from './api/hooks';
import type { Json } from './api/types';
import { isKind } from './features/charts/kinds';
import type { ChartSearch } from './features/charts/state/codec';
import { HomePage } from './features/home/HomePage';
import { LoginPage } from './features/login/LoginPage';
import { localPath } from './features/login/localPath';
import { lastProject } from './features/shell/lastProject';
import { NotFound } from './features/shell/NotFound';
import { ProjectShell } from './features/shell/ProjectShell';
import { Failed, Loading } from './ui/states';

interface Context {
  client: QueryClient;
}

const text = (v: unknown): string | undefined =>
  typeof v === 'string' && v !== '' ? v : typeof v === 'number' ? String(v) : undefined;

const root = createRootRouteWithContext<Context>()({ notFoundComponent: NotFound });

const home = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: HomePage,
  beforeLoad: async ({ context }) => {
    await signedIn(context.client, undefined);
    const projects = await context.client.fetchQuery(projectsQuery);
    const first = projects.find((p) => p.name === lastProject()) ?? projects[0];
    if (first) throw redirect({ to: '/p/$project', params: { project: first.name } });
  },
});

const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  validateSearch: (s: Record<string, unknown>): { project?: string; code?: string } => ({
    project: text(s.project),
    code: text(s.code),
  }),
  beforeLoad: async ({ context, search }) => {
    const session = await context.client.fetchQuery(sessionQuery);
    if (!session.setup_required && !search.project) throw redirect({ to: '/' });
    if (search.project && !session.user) throw redirect({ to: '/login', search: {} });
  },
  component: lazyRouteComponent(() => import('./features/setup/SetupPage'), 'SetupPage'),
});

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (s: Record<string, unknown>): { next?: string } => ({ next: localPath(s.next) }),
  beforeLoad: async ({ context }) => {
    const session = await context.client.fetchQuery(sessionQuery);
    if (session.setup_required) throw redirect({ to: '/setup' });
  },
  component: LoginPage,
});

const project = createRoute({
  getParentRoute: () => root,
  path: '/p/$project',
  component: ProjectShell,
  beforeLoad: ({ context, location }) => signedIn(context.client, location.href),
  loader: ({ context }) => context.client.ensureQueryData(projectsQuery),
});

const overview = createRoute({
  getParentRoute: () => project,
  path: '/',
  component: lazyRouteComponent(() => import('./features/overview/OverviewPage'), 'OverviewPage'),
});

const charts = createRoute({
  getParentRoute: () => project,
  path: '/charts/$kind',
  validateSearch: (s: Record<string, unknown>): ChartSearch => s as Record<string, Json>,
  beforeLoad: ({ params }) => {
    if (!isKind(params.kind)) {
      throw redirect({
        to: '/p/$project/charts/$kind',
        params: { ...params, kind: 'segmentation' },
        search: {},
      });
    }
  },
  component: lazyRouteComponent(() => import('./features/charts/ChartPage'), 'ChartPage'),
});

const persons = createRoute({
  getParentRoute: () => project,
  path: '/persons',
  validateSearch: (s: Record<string, unknown>): { q?: string } => ({ q: text(s.q) }),
  component: lazyRouteComponent(() => import('./features/persons/PersonsPage'), 'PersonsPage'),
});

const person = createRoute({
  getParentRoute: () => project,
  path: '/persons/$person',
  component: lazyRouteComponent(() => import('./features/persons/PersonPage'), 'PersonPage'),
});

const events = createRoute({
  getParentRoute: () => project,
  path: '/events',
  validateSearch: (s: Record<string, unknown>): { event?: string } => ({ event: text(s.event) }),
  component: lazyRouteComponent(() => import('./features/events/EventsPage'), 'EventsPage'),
});

const ledger = createRoute({
  getParentRoute: () => project,
  path: '/ledger',
  validateSearch: (s: Record<string, unknown>): { event?: string } => ({ event: text(s.event) }),
  component: lazyRouteComponent(() => import('./features/ledger/LedgerPage'), 'LedgerPage'),
});

const rules = createRoute({
  getParentRoute: () => project,
  path: '/rules',
  component: lazyRouteComponent(() => import('./features/rules/RulesPage'), 'RulesPage'),
});

const sources = createRoute({
  getParentRoute: () => project,
  path: '/sources',
  validateSearch: (s: Record<string, unknown>): { sdk?: string } => ({ sdk: text(s.sdk) }),
  component: lazyRouteComponent(() => import('./features/sources/SourcesPage'), 'SourcesPage'),
});

const status = createRoute({
  getParentRoute: () => root,
  path: '/status',
  component: lazyRouteComponent(() => import('./features/status/StatusPage'), 'StatusPage'),
});

const statusIncident = createRoute({
  getParentRoute: () => root,
  path: '/status/incidents/$incident',
  component: lazyRouteComponent(() => import('./features/status/IncidentPage'), 'IncidentPage'),
});

const operate = createRoute({
  getParentRoute: () => root,
  path: '/operate',
  beforeLoad: ({ context, location }) => signedIn(context.client, location.href),
  component: lazyRouteComponent(() => import('./features/operate/OperateShell'), 'OperateShell'),
});

const problems = createRoute({
  getParentRoute: () => operate,
  path: '/',
  component: lazyRouteComponent(() => import('./features/operate/ProblemsPage'), 'ProblemsPage'),
});

const incident = createRoute({
  getParentRoute: () => operate,
  path: '/incidents/$incident',
  component: lazyRouteComponent(() => import('./features/operate/IncidentPage'), 'IncidentPage'),
});

const jobs = createRoute({
  getParentRoute: () => operate,
  path: '/jobs',
  validateSearch: (s: Record<string, unknown>): { kind?: string } => ({ kind: text(s.kind) }),
  component: lazyRouteComponent(() => import('./features/operate/JobsPage'), 'JobsPage'),
});

const care = createRoute({
  getParentRoute: () => operate,
  path: '/care',
  component: lazyRouteComponent(() => import('./features/operate/CarePage'), 'CarePage'),
});

const operateSettings = createRoute({
  getParentRoute: () => operate,
  path: '/settings',
  component: lazyRouteComponent(() => import('./features/operate/SettingsPage'), 'SettingsPage'),
});

/** Lets people who are signed in through; sends others where they must go first. */
async function signedIn(client: QueryClient, next: string | undefined): Promise<void> {
  const session = await client.fetchQuery(sessionQuery);
  if (session.setup_required) throw redirect({ to: '/setup' });
  if (!session.user) throw redirect({ to: '/login', search: next ? { next } : {} });
}

function RouteError({ error }: ErrorComponentProps) {
  const router = useRouter();
  return <Failed error={error} retry={() => void router.invalidate()} what="This page could not be opened" />;
}

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: root.addChildren([
      home,
      setup,
      login,
      status,
      statusIncident,
      operate.addChildren([problems, incident, jobs, care, operateSettings]),
      project.addChildren([overview, charts, persons, person, events, ledger, rules, sources]),
    ]),
    context: { client },
    defaultPreload: 'intent',
    defaultPendingComponent: () => <Loading tall />,
    defaultErrorComponent: RouteError,
    defaultNotFoundComponent: NotFound,
    scrollRestoration: true,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
