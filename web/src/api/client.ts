/** The only place that talks HTTP. Paths and parameters are checked against the API description. */
import createClient from 'openapi-fetch';
import { ApiError, errorFrom, unreachable } from './errors';
import type { paths } from './schema';
import { messages, pieces } from './sse';
import type {
  DeadLetterPage,
  EventPage,
  Ledger,
  PersonItem,
  PersonPage,
  Project,
  Query,
  Schema,
  Session,
  SetUp,
} from './types';

export const http = createClient<paths>({ baseUrl: '', credentials: 'same-origin' });

let csrf: string | null = null;

http.use({
  onRequest({ request }) {
    request.headers.set('accept', 'application/json');
    if (request.method !== 'GET' && csrf) request.headers.set('x-csrf-token', csrf);
    return request;
  },
});

interface Outcome {
  data?: unknown;
  error?: unknown;
  response: Response;
}

/** The body of a success, typed as what the caller knows it to be; everything else becomes an ApiError. */
export async function answer<T>(outcome: Promise<Outcome>, signal?: AbortSignal): Promise<T> {
  const { data, error, response } = await outcome.catch((cause: unknown) => {
    if (signal?.aborted) throw cause;
    throw unreachable();
  });
  if (!response.ok) throw errorFrom(response.status, error);
  return data as T;
}

/** How far a running query has come, 0 to 1. */
export type OnProgress = (share: number) => void;

/**
 * Asks a query and follows its progress. Ending the signal ends the query on the server too.
 * Errors that arrive inside the stream are about the question, so asking again would not help.
 */
async function follow<T>(
  project: string,
  query: Query,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<T> {
  const failed = (cause: unknown): never => {
    throw signal.aborted ? cause : unreachable();
  };
  const response = await fetch(`/api/v1/projects/${encodeURIComponent(project)}/query`, {
    method: 'POST',
    credentials: 'same-origin',
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      ...(csrf ? { 'x-csrf-token': csrf } : {}),
    },
    body: JSON.stringify(query),
    signal,
  }).catch(failed);
  if (!response.ok || !response.body) {
    throw errorFrom(response.status, await response.json().catch(() => null));
  }
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    return (await response.json()) as T;
  }
  try {
    for await (const message of messages(pieces(response.body))) {
      if (message.event === 'result') return JSON.parse(message.data) as T;
      if (message.event === 'error') throw errorFrom(422, JSON.parse(message.data));
      if (message.event === 'progress') onProgress(shareOf(JSON.parse(message.data)));
    }
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    failed(cause);
  }
  throw unreachable();
}

function shareOf(reading: { row_groups_total?: number; row_groups_done?: number }): number {
  const total = reading.row_groups_total ?? 0;
  return total > 0 ? Math.min(1, (reading.row_groups_done ?? 0) / total) : 0;
}

export interface Paging {
  limit?: number;
  cursor?: string | null;
}

export interface EventFilter {
  event?: string;
}

export interface SetupForm extends Omit<SetUp, 'project'> {
  project?: { name: string; timezone: string };
}

/** A page as the API wants it: an absent cursor instead of an empty one. */
function page({ cursor, ...rest }: Paging): { limit?: number; cursor?: string } {
  return cursor ? { ...rest, cursor } : rest;
}

export const api = {
  async session(signal?: AbortSignal): Promise<Session> {
    const session = await answer<Session>(http.GET('/api/v1/session', { signal }), signal);
    csrf = session.csrf ?? null;
    return session;
  },
  setup: (body: SetupForm) => answer<{ project?: Project }>(http.POST('/api/v1/setup', { body })),
  login: (email: string, password: string) =>
    answer<Session>(http.POST('/api/v1/login', { body: { email, password } })),
  logout: () => answer<Session>(http.POST('/api/v1/logout')),

  projects: (signal?: AbortSignal) =>
    answer<{ projects: Project[] }>(http.GET('/api/v1/projects', { signal }), signal).then((a) => a.projects),
  createProject: (body: { name: string; timezone: string }) =>
    answer<Project>(http.POST('/api/v1/projects', { body })),

  query: <T>(project: string, query: Query, signal?: AbortSignal) =>
    answer<T>(
      http.POST('/api/v1/projects/{project}/query', {
        params: { path: { project } },
        body: query as never,
        signal,
      }),
      signal,
    ),
  followQuery: follow,
  explain: (project: string, query: Query, signal?: AbortSignal) =>
    answer<unknown>(
      http.POST('/api/v1/projects/{project}/query/explain', {
        params: { path: { project } },
        body: query as never,
        signal,
      }),
      signal,
    ),

  schema: (project: string, signal?: AbortSignal) =>
    answer<Schema>(
      http.GET('/api/v1/projects/{project}/schema', { params: { path: { project } }, signal }),
      signal,
    ),
  events: (project: string, query: Paging & EventFilter, signal?: AbortSignal) =>
    answer<EventPage>(
      http.GET('/api/v1/projects/{project}/events', {
        params: { path: { project }, query: { event: query.event, ...page(query) } },
        signal,
      }),
      signal,
    ),
  persons: (project: string, q: string, paging: Paging, signal?: AbortSignal) =>
    answer<PersonPage>(
      http.GET('/api/v1/projects/{project}/persons', {
        params: { path: { project }, query: { q: q || undefined, ...page(paging) } },
        signal,
      }),
      signal,
    ),
  person: (project: string, person: string, signal?: AbortSignal) =>
    answer<PersonItem>(
      http.GET('/api/v1/projects/{project}/persons/{person}', {
        params: { path: { project, person } },
        signal,
      }),
      signal,
    ),
  timeline: (project: string, person: string, paging: Paging, signal?: AbortSignal) =>
    answer<EventPage>(
      http.GET('/api/v1/projects/{project}/persons/{person}/timeline', {
        params: { path: { project, person }, query: page(paging) },
        signal,
      }),
      signal,
    ),
  ledger: (project: string, signal?: AbortSignal) =>
    answer<Ledger>(
      http.GET('/api/v1/projects/{project}/ledger', { params: { path: { project } }, signal }),
      signal,
    ),
  deadLetters: (project: string, paging: Paging, signal?: AbortSignal) =>
    answer<DeadLetterPage>(
      http.GET('/api/v1/projects/{project}/dead-letters', {
        params: { path: { project }, query: page(paging) },
        signal,
      }),
      signal,
    ),
};
