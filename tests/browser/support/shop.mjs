/** A project of a running server, asked as its analysts ask it. */
import assert from 'node:assert/strict';
import { openBrowser } from './browser.mjs';
import { eventually, startServer } from './server.mjs';
import { CHROME, openHop, openSite } from './site.mjs';

/** Under which the collector itself serves SDKs, beside its ordinary paths. */
export const PREFIX = '/first-party';
const SETTLED_MS = 60_000;
const EVER = { from: '2000-01-01', to: '2035-01-01' };

/**
 * A server, a browser, and as many fresh projects as there are tests. With `tls` shops and hops speak it, and the browser takes
 * every certificate: that of a single context would not be taken for what is sent after its page is gone.
 */
export async function openStage(env = {}, { tls = false } = {}) {
  // One hop is declared, so that what the shop's own proxy says of the address is believed.
  const server = await startServer([], { TALLYMARK_PATH_PREFIX: PREFIX, TALLYMARK_TRUSTED_HOPS: '1', ...env });
  const browser = await openBrowser(tls ? ['--ignore-certificate-errors'] : []);
  const admin = await browser.newContext({ baseURL: server.url });
  const data = {
    code: server.code,
    email: 'ana@example.com',
    password: 'a long enough password',
    project: { name: 'first', timezone: 'UTC' },
  };
  await answerOf(admin.request.post('/api/v1/setup', { data }));
  const { csrf } = await answerOf(admin.request.get('/api/v1/session'));
  let projects = 0;
  return {
    server,
    browser,
    tls,
    /** A project of its own, so that every number of it is known. */
    async project() {
      projects += 1;
      const name = `shop-${projects}`;
      const made = await answerOf(
        admin.request.post('/api/v1/projects', {
          data: { name, timezone: 'UTC' },
          headers: { 'x-csrf-token': csrf },
        }),
      );
      return new Project(admin.request, csrf, name, made);
    },
    async close() {
      await browser.close();
      await server.stop();
    },
  };
}

async function answerOf(asked) {
  const answer = await asked;
  assert.ok(answer.ok(), `${answer.url()}: ${answer.status()} ${await answer.text()}`);
  return answer.json();
}

/** What a project says about itself. */
export class Project {
  constructor(request, csrf, name, made) {
    Object.assign(this, { request, csrf, name, key: made.write_key ?? made.project?.write_key });
    assert.ok(this.key, `no write key in ${JSON.stringify(made)}`);
  }

  get(path) {
    return answerOf(this.request.get(`/api/v1/projects/${this.name}/${path}`));
  }

  put(path, data) {
    const headers = { 'x-csrf-token': this.csrf };
    return answerOf(this.request.put(`/api/v1/projects/${this.name}/${path}`, { data, headers }));
  }

  query(data) {
    const headers = { 'x-csrf-token': this.csrf };
    return answerOf(this.request.post(`/api/v1/projects/${this.name}/query`, { data, headers }));
  }

  /** Waits until `visible` events are there and nothing is on its way; says what else the ledger counts. */
  async settled(visible, limitMs = SETTLED_MS) {
    let identity;
    const done = () => identity.visible >= visible && identity.pending === 0;
    await eventually(`${visible} events of ${this.name}`, limitMs, async () => {
      identity = (await this.get('ledger')).identity;
      return done();
    }).catch((error) => {
      throw new Error(`${error.message}: ${JSON.stringify(identity)}`);
    });
    assert.equal(identity.balanced, true);
    assert.equal(identity.dead, 0);
    return identity;
  }

  /** Every event, oldest first. */
  async events() {
    const found = [];
    for (let cursor = ''; ; ) {
      const page = await this.get(`events?limit=1000${cursor}`);
      found.push(...page.events);
      if (!page.next) break;
      cursor = `&cursor=${encodeURIComponent(page.next)}`;
    }
    return found.sort((a, b) => (a.time < b.time ? -1 : 1));
  }

  async measure(event, measure = 'totals', more = {}) {
    const series = [{ event, measure, ...more }];
    const answer = await this.query({ type: 'segmentation', series, range: EVER, interval: 'none' });
    return answer.series[0].total;
  }

  sessions() {
    return this.query({ type: 'sessions', range: EVER, interval: 'none' });
  }
}

/**
 * Opens the shop in a context of its own; `script` writes what its pages load, given the hop and the shop's URL.
 * An uncaught error fails the test; `complaints` are what the console calls an error.
 */
export async function openShop(stage, script, work, { userAgent = CHROME } = {}) {
  const { tls } = stage;
  const hop = await openHop(stage.server.url, { tls });
  const site = await openSite((url) => script(hop, url), stage.server.url, { tls });
  const context = await stage.browser.newContext({ baseURL: site.url, userAgent, timezoneId: 'UTC' });
  const page = await context.newPage();
  const errors = [];
  const complaints = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  try {
    await work({ hop, site, context, page, complaints });
    assert.deepEqual(errors, [], 'the page failed');
  } finally {
    await context.close();
    await site.close();
    await hop.close();
  }
}

/** How often each name occurs. */
export function counted(names) {
  const counts = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
