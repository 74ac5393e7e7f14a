/** @rudderstack/analytics-js from npm in a real Chromium: data plane and control plane are the collector. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { liveThrough } from './support/outage.mjs';
import { eventually } from './support/server.mjs';
import { counted, openShop, openStage, PREFIX } from './support/shop.mjs';

const SENT_MS = 60_000;

describe('@rudderstack/analytics-js', () => {
  let stage;

  before(async () => {
    stage = await openStage();
  });
  after(() => stage?.close());

  /** What a team changes: the data plane, and `configUrl`, which would otherwise be the vendor's. */
  const start = (key, host, more = {}) => `<script type="module">
    import { RudderAnalytics } from '/sdk/rudderstack.js';
    window.rudder = new RudderAnalytics();
    rudder.load('${key}', '${host}', { configUrl: '${host}', ...${JSON.stringify(more)} });
    rudder.ready(() => { window.ready = true; });
  </script>`;

  const open = async (page) => {
    await page.goto('/?utm_source=news&utm_campaign=may');
    await page.waitForFunction(() => window.ready);
  };
  const arrived = (project, visible) =>
    eventually(`${visible} events`, SENT_MS, async () => (await project.get('ledger')).identity.visible >= visible);

  const journey = async (project, page) => {
    await open(page);
    await page.evaluate(() => {
      rudder.page();
      document.querySelector('#buy').addEventListener('click', () => rudder.track('Clicked', { text: 'Buy now' }));
    });
    await page.click('#buy');
    await page.evaluate(() => {
      rudder.identify('ana', { email: 'ana@example.com', plan: 'free' });
      rudder.track('Order Completed', { revenue: 49.5, currency: 'EUR', items: 2 });
      rudder.track('Order Completed', { revenue: 10.25, currency: 'EUR', items: 1 });
      rudder.group('acme', { seats: 12 });
    });
    await arrived(project, 6);
    await page.evaluate(() => {
      rudder.identify('ana', { plan: 'pro' });
      rudder.alias('ana-new', 'ana');
    });
    await arrived(project, 8);
  };

  const told = async (project) => {
    const identity = await project.settled(8);
    assert.deepEqual([identity.visible, identity.duplicate], [8, 0]);
    const events = await project.events();
    assert.deepEqual(counted(events.map((e) => e.event)), {
      'Page Viewed': 1,
      Clicked: 1,
      $identify: 2,
      'Order Completed': 2,
      $groupidentify: 1,
      $alias: 1,
    });
    return events;
  };

  it('tells a whole visit: page, track, identify, revenue, group, traits, alias', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url);
    await openShop(stage, script, async ({ hop, page, complaints }) => {
      const elsewhere = [];
      page.on('request', (request) => {
        if (!/^https?:\/\/(localhost|127\.0\.0\.1):/.test(request.url())) elsewhere.push(request.url());
      });
      await journey(project, page);
      const events = await told(project);
      assert.deepEqual(elsewhere, [], 'nothing is loaded from the vendor');
      assert.ok(hop.seen.some((s) => s.path === '/sourceConfig/' && s.method === 'GET' && s.status === 200));
      const posts = hop.seen.filter((s) => s.method === 'POST');
      assert.deepEqual(counted(posts.map((s) => s.path)), {
        '/v1/page': 1,
        '/v1/track': 3,
        '/v1/identify': 2,
        '/v1/group': 1,
        '/v1/alias': 1,
      });
      for (const post of posts) assert.equal(post.status, 200);
      // The key travels in a header, so each page asks first.
      assert.equal(hop.seen.find((s) => s.path === '/v1/track' && s.method === 'OPTIONS').status, 204);

      const named = (name) => events.find((e) => e.event === name);
      const view = named('Page Viewed');
      assert.equal(view.user_id, null);
      assert.equal(view.properties.utm_source, 'news');
      assert.deepEqual(named('$groupidentify').groups, { group: 'acme' });
      assert.equal(new Set(events.map((e) => e.session_id)).size, 1);
      assert.equal(await project.measure('Order Completed', 'sum', { property: 'revenue' }), 59.75);
      assert.equal(await project.measure('*', 'uniques'), 1);
      const person = await project.get('persons/ana');
      assert.deepEqual(person.user_ids.toSorted(), ['ana', 'ana-new']);
      assert.deepEqual(person.device_ids, [view.device_id]);
      const { email, plan } = person.properties;
      assert.deepEqual({ email, plan }, { email: 'ana@example.com', plan: 'pro' });
      const { total } = await project.sessions();
      assert.deepEqual([total.sessions, total.users], [1, 1]);
      assert.deepEqual(complaints, []);
    });
  });

  it('in batches, and what a closing page has not sent yet', async () => {
    const project = await stage.project();
    const batch = { enabled: true, maxItems: 10, flushInterval: 3_600_000 };
    const script = (hop) => start(project.key, hop.url, { queueOptions: { batch } });
    await openShop(stage, script, async ({ hop, page }) => {
      await open(page);
      await page.evaluate(() => {
        for (let n = 0; n < 12; n++) rudder.track('step', { n });
      });
      await project.settled(10);
      await page.goto('about:blank');
      const identity = await project.settled(12);
      assert.deepEqual([identity.visible, identity.duplicate], [12, 0]);
      assert.deepEqual(Object.keys(counted(hop.seen.filter((s) => s.method === 'POST').map((s) => s.path))), ['/v1/batch']);
    });
  });

  it('by beacon', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url, { useBeacon: true });
    await openShop(stage, script, async ({ hop, page }) => {
      await open(page);
      await page.evaluate(() => {
        for (let n = 0; n < 12; n++) rudder.track('step', { n });
      });
      await page.goto('about:blank');
      await project.settled(12);
      const posts = hop.seen.filter((s) => s.method === 'POST');
      assert.deepEqual(Object.keys(counted(posts.map((s) => s.path))), ['/beacon/v1/batch']);
      const steps = (await project.events()).map((e) => e.properties.n).sort((a, b) => a - b);
      assert.deepEqual(steps, Array.from({ length: 12 }, (_, n) => n));
    });
  });

  it('keeps what it tracked while the collector is busy, limits, forgets to answer, dies, or cannot be reached', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url);
    await openShop(stage, script, async (shop) => {
      await open(shop.page);
      await liveThrough(stage, { ...shop, project }, {
        track: (n) => rudder.track('step', { n }),
        carries: (s) => s.path === '/v1/track',
        reopen: () => open(shop.page),
      });
    });
  });

  it('works below a path of the own domain, taken away by a proxy or by the collector', async () => {
    for (const host of [({ site }) => `${site}/ingest`, ({ server }) => `${server}${PREFIX}`]) {
      const project = await stage.project();
      const script = (_, site) => start(project.key, host({ site, server: stage.server.url }));
      await openShop(stage, script, async ({ page }) => {
        await journey(project, page);
        await told(project);
      });
    }
  });
});
