import '@mantine/core/styles.css';
import '@mantine/dates/styles.css';
import '@mantine/notifications/styles.css';
import './ui/tokens.css';
import './ui/base.css';
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api/errors';
import { sessionQuery } from './api/hooks';
import { makeRouter } from './router';
import { theme, variables } from './ui/theme';

const client = new QueryClient({
  queryCache: new QueryCache({ onError: leaveWhenSignedOut }),
  defaultOptions: {
    queries: {
      // Trying again helps against a restarting server and never against a refused request.
      retry: (failures, error) => failures < 2 && error instanceof ApiError && error.retryable,
      refetchOnWindowFocus: false,
    },
  },
});
const router = makeRouter(client);

/** A session that ended elsewhere shows as 401 in whatever is asked next. */
function leaveWhenSignedOut(error: Error): void {
  if (!(error instanceof ApiError) || error.status !== 401) return;
  const here = router.state.location;
  if (here.pathname === '/login' || here.pathname === '/setup') return;
  client.removeQueries({ queryKey: sessionQuery.queryKey });
  void router.navigate({ to: '/login', search: { next: here.href } });
}

const schemes = localStorageColorSchemeManager({ key: 'tallymark-color-scheme' });
const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider
        theme={theme}
        cssVariablesResolver={variables}
        colorSchemeManager={schemes}
        defaultColorScheme="auto"
      >
        <QueryClientProvider client={client}>
          <Notifications position="bottom-right" />
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
