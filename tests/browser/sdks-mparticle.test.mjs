/**
 * @mparticle/web-sdk from npm in a real Chromium: its `domain` is the collector. It has https built in, so shop and hop speak
 * TLS here, as they would outside of a test.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { liveThrough } from './support/outage.mjs';
import { eventually } from './support/server.mjs';
import { counted, openShop, openStage, PREFIX } from './support/shop.mjs';

const SENT_MS = 60_000;
const hostOf = (url) => url.replace('https://', '');

describe('@mparticle/web-sdk', () => {
  let stage;

  before(async () => {
    stage = await openStage({}, { tls: true });
  });
  after(() => stage?.close());

  const start = (key, options) => `<script type="module">
    import mParticle from '/sdk/mparticle.js';
    window.mParticle = mParticle;
    mParticle.init('${key}', ${JSON.stringify(options)});
    mParticle.ready(() => { window.ready = true; });
  </script>`;
  /** What a team changes: `domain`, the host without `https://`. */
  const below = (key, host) => start(key, { domain: host });
  /** The same, said for each address. */
  const named = (key, host) =>
    start(key, {
      requestConfig: false,
      v1SecureServiceUrl: `${host}/v1/JS/`,
      v2SecureServiceUrl: `${host}/v2/JS/`,
      v3SecureServiceUrl: `${host}/v3/JS/`,
      configUrl: `${host}/JS/v2/`,
      identityUrl: `${host}/v1/`,
      aliasUrl: `${host}/v1/identity/`,
    });

  const open = async (page) => {
    await page.goto('/?utm_source=news&utm_campaign=may');
    await page.waitForFunction(() => window.ready);
  };
  /** How often a batch describes its person depends on how many batches there are. */
  const arrived = (project, name) =>
    eventually(`an event ${name}`, SENT_MS, async () => (await project.events()).some((e) => e.event === name));
  const isEvents = (s) => s.path.endsWith('/events') && s.method === 'POST';

  const journey = async (project, page) => {
    await open(page);
    await page.evaluate(() => {
      mParticle.logPageView('Home');
      const { Other } = mParticle.EventType;
      document.querySelector('#buy').addEventListener('click', () => mParticle.logEvent('Clicked', Other, { text: 'Buy now' }));
    });
    await page.click('#buy');
    const status = await page.evaluate(async () => {
      const userIdentities = { customerid: 'ana', email: 'ana@example.com' };
      const { httpCode } = await new Promise((done) => mParticle.Identity.login({ userIdentities }, done));
      mParticle.Identity.getCurrentUser().setUserAttribute('plan', 'free');
      const { createProduct, logProductAction } = mParticle.eCommerce;
      const products = [createProduct('Book', 'sku-1', 24.75, 2)];
      logProductAction(mParticle.ProductActionType.Purchase, products, {}, {}, { Id: 'order-1', Revenue: 49.5 });
      return httpCode;
    });
    assert.equal(status, 200);
    await arrived(project, 'purchase');
    const mpids = await page.evaluate(async () => {
      const user = mParticle.Identity.getCurrentUser();
      const userIdentities = { customerid: 'ana', email: 'ana@shop.example' };
      const { httpCode } = await new Promise((done) => mParticle.Identity.modify({ userIdentities }, done));
      user.setUserAttribute('plan', 'pro');
      mParticle.logEvent('Invited');
      return [httpCode, user.getMPID(), mParticle.Identity.getCurrentUser().getMPID()];
    });
    assert.deepEqual([mpids[0], mpids[1]], [200, mpids[2]]);
    await arrived(project, 'Invited');
  };

  const told = async (project) => {
    const identity = await project.settled(12);
    assert.equal(identity.duplicate, 0);
    const events = await project.events();
    const counts = counted(events.map((e) => e.event));
    assert.ok(counts.$identify >= 1);
    delete counts.$identify;
    assert.deepEqual(counts, {
      session_start: 1,
      application_state_transition: 1,
      Home: 1,
      Clicked: 1,
      // The two ids of the login, and the new address.
      user_identity_change: 3,
      $set: 2,
      purchase: 1,
      Invited: 1,
    });
    return events;
  };

  const tells = async (project, { page, complaints }) => {
    await journey(project, page);
    const events = await told(project);
    const event = (name) => events.find((e) => e.event === name);
    assert.equal(event('Home').user_id, null);
    assert.equal(event('Clicked').properties.text, 'Buy now');
    const own = events.filter((e) => e.event !== '$identify');
    assert.equal(new Set(own.map((e) => e.session_id)).size, 1);
    assert.equal(await project.measure('purchase', 'sum', { property: 'revenue' }), 49.5);
    assert.equal(await project.measure('*', 'uniques'), 1);
    const person = await project.get('persons/ana');
    assert.deepEqual(person.user_ids, ['ana']);
    assert.deepEqual(person.device_ids, [event('Home').device_id]);
    const { email, plan } = person.properties;
    assert.deepEqual({ email, plan }, { email: 'ana@shop.example', plan: 'pro' });
    const { total } = await project.sessions();
    assert.deepEqual([total.sessions, total.users], [1, 1]);
    assert.deepEqual(complaints, []);
  };

  it('tells a whole visit: session, page view, click, login, purchase, attributes, a new address', async () => {
    const project = await stage.project();
    const script = (hop) => below(project.key, hostOf(hop.url));
    const work = async (shop) => {
      await tells(project, shop);
      const { hop } = shop;
      const posts = hop.seen.filter(isEvents);
      for (const post of posts) assert.deepEqual([post.type, post.status], ['text/plain;charset=UTF-8', 202]);
      assert.deepEqual(counted(posts.map((s) => s.path)), { [`/webevents/v3/JS/${project.key}/events`]: posts.length });
      assert.ok(hop.seen.some((s) => s.path === `/tags/JS/v2/${project.key}/config` && s.status === 200));
      // Events need no preflight; who somebody is does.
      const asked = hop.seen.filter((s) => s.method === 'OPTIONS').map((s) => s.path.split('/').at(-1));
      assert.deepEqual(Object.keys(counted(asked)), ['identify', 'login', 'modify']);
    };
    await openShop(stage, script, work);
  });

  it('the same with each address named, without asking for its configuration', async () => {
    const project = await stage.project();
    const script = (hop) => named(project.key, hostOf(hop.url));
    const work = async (shop) => {
      await tells(project, shop);
      assert.deepEqual(shop.hop.seen.filter((s) => s.path.endsWith('/config')), []);
    };
    await openShop(stage, script, work);
  });

  it('a page that closes sends what it has not sent yet', async () => {
    const project = await stage.project();
    // What is on its way by itself when the page goes is lost with it, so nothing may be.
    const waits = { requestConfig: false, flags: { eventBatchingIntervalMillis: '3600000', offlineStorage: '100' } };
    const script = (hop) => start(project.key, { domain: hostOf(hop.url), ...waits });
    const work = async ({ hop, page }) => {
      await open(page);
      await page.evaluate(() => mParticle.logEvent('last words'));
      assert.deepEqual(hop.seen.filter(isEvents), []);
      await page.goto('about:blank');
      const identity = await project.settled(3);
      assert.deepEqual([identity.visible, identity.duplicate], [3, 0]);
      assert.equal(await project.measure('last words'), 1);
      assert.equal(hop.seen.findLast(isEvents).status, 202);
    };
    await openShop(stage, script, work);
  });

  it('keeps what it tracked while the collector is busy, limits, forgets to answer, dies, or cannot be reached', async () => {
    const project = await stage.project();
    const script = (hop) => below(project.key, hostOf(hop.url));
    const work = async (shop) => {
      await open(shop.page);
      // What the SDK tells about the visit itself.
      await arrived(project, 'application_state_transition');
      await liveThrough(stage, { ...shop, project }, {
        track: (n) => mParticle.logEvent('step', mParticle.EventType.Other, { n }),
        carries: isEvents,
        also: 2,
      });
    };
    await openShop(stage, script, work);
  });

  it('works below a path of the own domain, taken away by a proxy or by the collector', async () => {
    for (const host of [(hop, site) => `${site}/ingest`, (hop) => `${hop.url}${PREFIX}`]) {
      const project = await stage.project();
      const script = (hop, site) => below(project.key, hostOf(host(hop, site)));
      await openShop(stage, script, async (shop) => tells(project, shop));
    }
  });
});
