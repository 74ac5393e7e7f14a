/** The wrapper without a server: what is sent, what is sent again, what errors say; and whether the types are fresh. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createTallymark, TallymarkError } from '@tallymark/client';
import { made, target } from '../scripts/types.mjs';

const KEY = 'wk_0123456789abcdef';
const ACCEPTED = { accepted: 1, rejected: [], receipt: 'r' };
const error = (status, code, headers = {}) =>
  Response.json({ error: { code, message: 'no', hint: 'try', docs: `/docs/errors/${code}` } }, { status, headers });

/** Gives these answers one after the other; an Error is thrown. */
function server(...answers) {
  const requests = [];
  const fetch = async (request) => {
    requests.push({ request, body: request.body ? await request.clone().json() : undefined });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer instanceof Response ? answer : Response.json(answer);
  };
  const waits = [];
  const sleep = async (ms) => waits.push(ms);
  return { requests, waits, sleep, client: createTallymark({ url: 'http://tallymark.test/base/', key: KEY, fetch }) };
}

test('the types are those that the API description gives', async () => {
  assert.ok(readFileSync(target, 'utf8') === (await made()), 'src/schema.ts is not what it gives now: npm run types');
});

test('an event has its id and its time, and keeps its own', async () => {
  const { client, requests } = server(ACCEPTED);
  await client.send(
    [
      { event: 'a', user_id: 'u', insert_id: null },
      { event: 'b', insert_id: 'mine', time: 5, properties: { x: 1 } },
    ],
    { wait: 'visible', lane: 'bulk' },
  );
  const [{ request, body }] = requests;
  assert.equal(request.url, 'http://tallymark.test/base/api/v1/events?wait=visible&lane=bulk');
  assert.equal(request.headers.get('authorization'), `Bearer ${KEY}`);
  const [a, b] = body.events;
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const library = { $lib: 'tallymark-js', $lib_version: version };
  assert.deepEqual(a.properties, library);
  assert.match(a.insert_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.ok(Number.isFinite(Date.parse(a.time)));
  assert.deepEqual(b, { event: 'b', insert_id: 'mine', time: 5, properties: { ...library, x: 1 } });
});

test('what is sent again is the same, after the time that the server names', async () => {
  const { client, requests, waits, sleep } = server(
    error(503, 'TM0111', { 'retry-after': '7' }),
    new TypeError('fetch failed'),
    error(429, 'TM0114', { 'retry-after': '9' }),
    ACCEPTED,
  );
  assert.deepEqual(await client.send([{ event: 'a' }], { sleep }), ACCEPTED);
  assert.equal(new Set(requests.map(({ body }) => JSON.stringify(body))).size, 1);
  assert.equal(requests.length, 4);
  assert.equal(waits[0], 7000);
  assert.ok(waits[1] >= 500 && waits[1] <= 1000);
  assert.equal(waits[2], 9000);
});

test('not for ever, and not what would be refused again', async () => {
  const away = server(...Array.from({ length: 2 }, () => error(503, 'TM0112')));
  await assert.rejects(away.client.send([{ event: 'a' }], { attempts: 2, sleep: away.sleep }), { code: 'TM0112' });
  const refused = server(error(401, 'TM0102'));
  await assert.rejects(refused.client.send([{ event: 'a' }], { sleep: refused.sleep }), { status: 401 });
  assert.equal(refused.waits.length, 0);
  const other = server({ hello: 'proxy' });
  await assert.rejects(other.client.send([{ event: 'a' }], { attempts: 1 }), /not Tallymark's/);
});

test('every call throws what the server said', async () => {
  const { client } = server(error(404, 'TM0204'), new Response('<html>', { status: 502 }), new TypeError('refused'));
  const ask = () => client.GET('/api/v1/projects/{project}/schema', { params: { path: { project: 'a/b' } } });
  await assert.rejects(ask, (e) => {
    assert.ok(e instanceof TallymarkError && e instanceof Error);
    const { status, code, message, hint, docs, retryable } = e;
    assert.deepEqual(
      { status, code, message, hint, docs, retryable },
      { status: 404, code: 'TM0204', message: 'no', hint: 'try', docs: '/docs/errors/TM0204', retryable: false },
    );
    return true;
  });
  await assert.rejects(ask, { code: 'HTTP 502', message: /status 502/, retryable: true });
  await assert.rejects(ask, { code: 'offline', status: 0, message: 'http://tallymark.test/base cannot be reached' });
});

test('who cancels hears that it was cancelled', async () => {
  const stop = new AbortController();
  const fetch = (request) => {
    stop.abort();
    return Promise.reject(request.signal.reason);
  };
  const client = createTallymark({ url: 'http://tallymark.test', key: KEY, fetch });
  await assert.rejects(client.query('shop', { type: 'realtime' }, { signal: stop.signal }), { name: 'AbortError' });
});

test('settings that cannot work', () => {
  assert.throws(() => createTallymark({ url: 'tallymark.test', key: KEY }), TypeError);
  assert.throws(() => createTallymark({ url: 'http://tallymark.test', key: ' ' }), TypeError);
});
