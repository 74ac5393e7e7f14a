/** The only place that talks HTTP: paths, the CSRF header, JSON in and out, typed errors. */
import { ApiError, errorFrom, unreachable } from './errors';
import type {
  DeadLetterPage,
  EventPage,
  Ledger,
  PersonDetail,
  PersonPage,
  Project,
  Query,
  Schema,
  Session,
} from './types';

let csrf: string | null = null;

async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'GET' && csrf) headers['x-csrf-token'] = csrf;
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      credentials: 'same-origin',
    });
  } catch (e) {
    if (signal?.aborted) throw e;
    throw unreachable();
  }
  const text = await answer.text();
  const data = parse(text);
  if (!answer.ok) throw errorFrom(answer.status, data);
  if (text !== '' && data === undefined) {
    throw new ApiError(answer.status, 'not_json', `The answer of ${path.split('?')[0]} is not JSON.`);
  }
  return data as T;
}

function parse(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Path of one project, with parts and query parameters escaped; empty parameters are left out. */
export function projectPath(project: string, rest: string[] = [], params: Params = {}): string {
  const path = ['/api/v1/projects', project, ...rest]
    .map((p, i) => (i ? encodeURIComponent(p) : p))
    .join('/');
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== '') search.set(key, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

export type Params = Record<string, string | number | null | undefined>;

export interface SetupForm {
  code: string;
  email: string;
  password: string;
  name?: string;
  project?: { name: string; timezone: string };
}

export const api = {
  async session(signal?: AbortSignal): Promise<Session> {
    const session = await call<Session>('GET', '/api/v1/session', undefined, signal);
    csrf = session.csrf;
    return session;
  },
  setup: (form: SetupForm) => call<unknown>('POST', '/api/v1/setup', form),
  login: (email: string, password: string) => call<unknown>('POST', '/api/v1/login', { email, password }),
  logout: () => call<unknown>('POST', '/api/v1/logout', {}),

  projects: (signal?: AbortSignal) =>
    call<{ projects: Project[] }>('GET', '/api/v1/projects', undefined, signal).then((a) => a.projects),
  createProject: (project: { name: string; timezone: string }) =>
    call<Project & { secret_key?: string }>('POST', '/api/v1/projects', project),

  query: <T>(project: string, query: Query, signal?: AbortSignal) =>
    call<T>('POST', projectPath(project, ['query']), query, signal),
  explain: (project: string, query: Query, signal?: AbortSignal) =>
    call<unknown>('POST', projectPath(project, ['query', 'explain']), query, signal),

  schema: (project: string, signal?: AbortSignal) =>
    call<Schema>('GET', projectPath(project, ['schema']), undefined, signal),
  events: (project: string, params: Params, signal?: AbortSignal) =>
    call<EventPage>('GET', projectPath(project, ['events'], params), undefined, signal),
  persons: (project: string, params: Params, signal?: AbortSignal) =>
    call<PersonPage>('GET', projectPath(project, ['persons'], params), undefined, signal),
  person: (project: string, person: string, signal?: AbortSignal) =>
    call<PersonDetail>('GET', projectPath(project, ['persons', person]), undefined, signal),
  timeline: (project: string, person: string, params: Params, signal?: AbortSignal) =>
    call<EventPage>('GET', projectPath(project, ['persons', person, 'timeline'], params), undefined, signal),
  ledger: (project: string, params: Params, signal?: AbortSignal) =>
    call<Ledger>('GET', projectPath(project, ['ledger'], params), undefined, signal),
  deadLetters: (project: string, params: Params, signal?: AbortSignal) =>
    call<DeadLetterPage>('GET', projectPath(project, ['dead-letters'], params), undefined, signal),
};
