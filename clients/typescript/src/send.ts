/**
 * Sends events: each has its insert id and its time before the first attempt, so that what is sent again counts once.
 */
import type { Client } from 'openapi-fetch';
import { TallymarkError } from './errors.js';
import type { NewEvent, Schemas } from './index.js';
import type { paths } from './schema.js';

export type Rejected = Schemas['RejectedBody'];
export type Sending = Schemas['AcceptedBody'];

export interface SendOptions {
  /** `visible` waits until queries see the events. */
  wait?: 'durable' | 'visible';
  /** `bulk` for imports, so that they delay nobody. */
  lane?: 'live' | 'bulk';
  /** How often to try while the server is away or busy; 4 unless given. */
  attempts?: number;
  /** Waits between attempts; for tests. */
  sleep?: (ms: number) => Promise<void>;
  signal?: AbortSignal;
}

/** Who sent an event, in the properties that the list of a project's sources reads. */
const LIBRARY = { $lib: 'tallymark-js', $lib_version: '0.1.0' };
const FIRST_MS = 500;
const LONGEST_MS = 30_000;

export async function sendAll(
  client: Client<paths>,
  events: NewEvent[],
  options: SendOptions = {},
): Promise<Sending> {
  const { wait, lane, attempts = 4, sleep = pause, signal } = options;
  const query = { ...(wait === 'visible' ? { wait } : {}), ...(lane === 'bulk' ? { lane } : {}) };
  const time = new Date().toISOString();
  const body = { events: events.map((event) => ({ time, insert_id: newId(), ...given(event) })) };
  for (const event of body.events) event.properties = { ...LIBRARY, ...event.properties };
  for (let attempt = 1; ; attempt++) {
    try {
      const { data } = await client.POST('/api/v1/events', {
        params: { query },
        body,
        ...(signal ? { signal } : {}),
      });
      if (data?.receipt === undefined) throw new TallymarkError(0, 'offline', "the answer is not Tallymark's");
      return data;
    } catch (error) {
      if (!(error instanceof TallymarkError && error.retryable) || attempt >= attempts) throw error;
      const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1));
      await sleep(Math.max((error.retryAfter ?? 0) * 1000, longest * (0.5 + Math.random() / 2)));
    }
  }
}

/** Members that are null are as good as left out. */
function given(event: NewEvent): NewEvent {
  return Object.fromEntries(Object.entries(event).filter(([, value]) => value != null)) as NewEvent;
}

/** A random UUID; `crypto.randomUUID` is missing on pages without TLS. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] ?? 0) & 0x0f | 0x40;
  bytes[8] = (bytes[8] ?? 0) & 0x3f | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
