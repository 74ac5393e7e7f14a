/**
 * Records what browser SDKs send, for the golden files of `crates/core/wire/tests/golden`: `node record.mjs FOLDER`.
 * Writes one file for each path that an SDK posts to, without `expect`: what must become of it is for a person to say.
 */
import { createServer } from 'node:http';
import { readFile, writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { join, resolve } from 'node:path';
import { openBrowser } from './support/browser.mjs';
import { startServer } from './support/server.mjs';
import { CHROME, openSite } from './support/site.mjs';

const KEY = 'project-write-key-0001';
/** Headers of an answer that are true of one connection only. */
const OWN = ['content-encoding', 'content-length', 'transfer-encoding', 'connection'];
const KEPT = ['authorization', 'content-encoding', 'content-type', 'sentat', 'user-agent'];

/** Files are named after the SDK and the last part of the path. */
const NAMES = { 'mixpanel-browser': 'mixpanel-browser', '@rudderstack/analytics-js': 'rudder-js' };
const SDKS = {
  'mixpanel-browser': (host) => `<script type="module">
    import mixpanel from '/sdk/mixpanel.js';
    mixpanel.init('${KEY}', { api_host: '${host}', batch_flush_interval_ms: 500 });
    mixpanel.identify('ana');
    mixpanel.track('Order Completed', { revenue: 49.5, currency: 'EUR', title: 'naïve ☃ a+b/c=' });
    mixpanel.people.set({ plan: 'pro' });
    mixpanel.people.increment('visits');
    mixpanel.get_group('company', 'acme').set({ seats: 12 });
  </script>`,
  '@rudderstack/analytics-js': (host) => `<script type="module">
    import { RudderAnalytics } from '/sdk/rudderstack.js';
    const rudder = new RudderAnalytics();
    rudder.load('${KEY}', '${host}', { configUrl: '${host}' });
    rudder.page();
    rudder.identify('ana', { plan: 'pro' });
    rudder.track('Order Completed', { revenue: 49.5, currency: 'EUR' });
    rudder.group('acme', { seats: 12 });
    rudder.alias('ana-new', 'ana');
  </script>`,
};

const server = await startServer([], { TALLYMARK_BOOTSTRAP_PROJECT: 'shop', TALLYMARK_BOOTSTRAP_WRITE_KEY: KEY });
const browser = await openBrowser();
try {
  for (const [sdk, script] of Object.entries(SDKS)) await record(sdk, script, process.argv[2]);
} finally {
  await browser.close();
  await server.stop();
}

async function record(sdk, script, folder) {
  const about = resolve(import.meta.dirname, `node_modules/${sdk}/package.json`);
  const { version } = JSON.parse(await readFile(about, 'utf8'));
  const posts = new Map();
  const recorder = createServer(async (incoming, answer) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const [path, query] = incoming.url.split('?');
    if (incoming.method === 'POST') posts.set(path, { query, headers: incoming.headers, body });
    const { host, connection, ...headers } = incoming.headers;
    const same = { method: incoming.method, headers, body: body.length ? body : undefined };
    const passed = await fetch(server.url + incoming.url, same);
    const kept = [...passed.headers].filter(([name]) => !OWN.includes(name));
    answer.writeHead(passed.status, Object.fromEntries(kept));
    answer.end(Buffer.from(await passed.arrayBuffer()));
  });
  await new Promise((done) => recorder.listen(0, '127.0.0.1', done));
  const site = await openSite(() => script(`http://127.0.0.1:${recorder.address().port}`), server.url);
  const context = await browser.newContext({ userAgent: CHROME, timezoneId: 'UTC' });
  const page = await context.newPage();
  await page.goto(site.url);
  // Long enough for what SDKs send by themselves, on timers of theirs.
  await page.waitForTimeout(5000);
  await context.close();
  await site.close();
  recorder.close();
  for (const [path, { query, headers, body }] of posts) {
    const plain = body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body;
    const head = { sdk: `${sdk} ${version}`, path, ...(query ? { query } : {}) };
    const some = Object.fromEntries(KEPT.filter((name) => headers[name]).map((name) => [name, headers[name]]));
    const text = plain.toString();
    const read = /^[{[]/.test(text) ? { body: JSON.parse(text) } : { text };
    const name = `${NAMES[sdk]}-${path.split('/').filter(Boolean).at(-1)}.json`;
    const packed = plain === body ? {} : { gzip: true };
    await writeFile(join(folder, name), `${JSON.stringify({ ...head, headers: some, ...packed, ...read }, null, 2)}\n`);
    console.log(name);
  }
}
