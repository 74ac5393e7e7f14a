/**
 * Tallymark's API, typed by its own description: `GET`, `POST` and so on take its paths; what fails throws.
 *
 * Guarantees: an answer that is not a success is a `TallymarkError`; events that `send` sends again count once.
 * Deliberately not here: a queue (`send` is one call), the shapes of queries and answers (the description leaves them
 * open; docs/analyses.md has them).
 */
import createClient, { type Client, type ClientOptions } from 'openapi-fetch';
import { TallymarkError, unreachable } from './errors.js';
import type { components, paths } from './schema.js';
import { type Sending, type SendOptions, sendAll } from './send.js';

export { TallymarkError } from './errors.js';
export type { components, paths } from './schema.js';
export type { Rejected, Sending, SendOptions } from './send.js';

export type Schemas = components['schemas'];
export type NewEvent = Schemas['NewEventBody'] & { group_properties?: Record<string, unknown> | null };
export type Query = { type: string; [key: string]: unknown };

/** What every answer to a query has beside its numbers. */
export interface Answer {
  as_of: string;
  complete_through: string | null;
  complete: boolean;
  gaps: { lane: string; partition: number; from: number; to: number; count: number; state: string }[];
  restated: boolean;
  definition_hash: string;
  [key: string]: unknown;
}

export interface Options {
  /** Where the server is, with the path prefix if it has one. */
  url: string;
  /** A write key to send events, a secret key to ask, an admin key to run the instance. */
  key: string;
  /** Instead of the global one. */
  fetch?: (request: Request) => Promise<Response>;
}

export interface Tallymark extends Client<paths> {
  /** Sends up to 20,000 events and resolves when they are durable; `rejected` names those that are not taken. */
  send(events: NewEvent[], options?: SendOptions): Promise<Sending>;
  /** Asks one query; the caller knows the shape of its answer. */
  query<T extends object = Answer>(
    project: string,
    query: Query,
    options?: { signal?: AbortSignal },
  ): Promise<Answer & T>;
}

/** A client for one server and one key. */
export function createTallymark({ url, key, fetch }: Options): Tallymark {
  if (!/^https?:\/\//.test(url)) throw new TypeError(`url: ${url} does not start with http:// or https://`);
  if (key.trim() === '') throw new TypeError('the key is empty');
  const settings: ClientOptions = {
    baseUrl: url.replace(/\/+$/, ''),
    headers: { authorization: `Bearer ${key.trim()}`, accept: 'application/json' },
    ...(fetch ? { fetch } : {}),
  };
  const client = createClient<paths>(settings);
  client.use({
    async onResponse({ response }) {
      if (!response.ok) throw await TallymarkError.of(response);
    },
    onError({ error, request }) {
      // Who cancels a request wants to hear so.
      return request.signal.aborted ? undefined : unreachable(settings.baseUrl ?? '', error);
    },
  });
  return Object.assign(client, {
    send: (events: NewEvent[], options?: SendOptions) => sendAll(client, events, options),
    async query<T extends object>(project: string, query: Query, options: { signal?: AbortSignal } = {}) {
      const { data } = await client.POST('/api/v1/projects/{project}/query', {
        params: { path: { project } },
        body: query,
        ...options,
      });
      return data as Answer & T;
    },
  });
}
