/** @segment/analytics-next from npm in a real Chromium: only the address of its settings is changed. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { liveThrough } from './support/outage.mjs';
import { eventually } from './support/server.mjs';
import { counted, openShop, openStage, PREFIX } from './support/shop.mjs';

const SENT_MS = 60_000;

describe('@segment/analytics-next', () => {
  let stage;

  before(async () => {
    stage = await openStage();
  });
  after(() => stage?.close());

  /** What a team changes: `cdnURL`. Where events go is in the settings that come from there. */
  const start = (key, host) => `<script src="/sdk/segment.js"></script><script>
    window.analytics = AnalyticsNext.AnalyticsBrowser.load({ writeKey: '${key}', cdnURL: '${host}' });
    analytics.ready(() => { window.ready = true; });
  </script>`;

  const open = async (page) => {
    await page.goto('/?utm_source=news&utm_campaign=may');
    await page.waitForFunction(() => window.ready);
  };
  const arrived = (project, visible) =>
    eventually(`${visible} events`, SENT_MS, async () => (await project.get('ledger')).identity.visible >= visible);

  const journey = async (project, page) => {
    await open(page);
    await page.evaluate(async () => {
      await analytics.page();
      document.querySelector('#buy').addEventListener('click', () => analytics.track('Clicked', { text: 'Buy now' }));
    });
    await page.click('#buy');
    await page.evaluate(async () => {
      await analytics.identify('ana', { email: 'ana@example.com', plan: 'free' });
      await analytics.track('Order Completed', { revenue: 49.5, currency: 'EUR', items: 2 });
      await analytics.track('Order Completed', { revenue: 10.25, currency: 'EUR', items: 1 });
      await analytics.group('acme', { seats: 12 });
    });
    await arrived(project, 6);
    await page.evaluate(async () => {
      await analytics.identify({ plan: 'pro' });
      await analytics.alias('ana-new');
    });
    await arrived(project, 8);
  };

  const told = async (project) => {
    const identity = await project.settled(8);
    assert.equal(identity.duplicate, 0);
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
      await journey(project, page);
      const events = await told(project);
      assert.equal(hop.seen.find((s) => s.path === `/v1/projects/${project.key}/settings`).status, 200);
      const seen = hop.seen.filter((s) => s.path === '/v1/b');
      // The key travels in a header, so each page asks first.
      assert.equal(seen.find((s) => s.method === 'OPTIONS').status, 204);
      for (const post of seen.filter((s) => s.method === 'POST')) assert.equal(post.status, 200);

      const named = (name) => events.find((e) => e.event === name);
      assert.equal(named('Page Viewed').user_id, null);
      assert.match(named('Page Viewed').properties.url, /utm_source=news/);
      assert.deepEqual(named('$groupidentify').groups, { group: 'acme' });
      assert.equal(await project.measure('Order Completed', 'sum', { property: 'revenue' }), 59.75);
      assert.equal(await project.measure('*', 'uniques'), 1);
      const person = await project.get('persons/ana');
      // After `identify` this SDK writes the user it knows over the new id, so its alias names one id twice: no second one.
      assert.equal(named('$alias').user_id, 'ana');
      assert.deepEqual(person.user_ids, ['ana']);
      assert.deepEqual(person.device_ids, [named('Page Viewed').device_id]);
      const { email, plan } = person.properties;
      assert.deepEqual({ email, plan }, { email: 'ana@example.com', plan: 'pro' });
      const { total } = await project.sessions();
      assert.deepEqual([total.sessions, total.users], [1, 1]);
      assert.deepEqual(complaints, []);
    });
  });

  it('a page that closes sends what it has not sent yet', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url);
    await openShop(stage, script, async ({ page }) => {
      await open(page);
      // Nobody waits for it: the page goes while it lies in the batch.
      await page.evaluate(async () => {
        await analytics.track('last words');
      });
      await page.goto('about:blank');
      const identity = await project.settled(1);
      assert.deepEqual([identity.visible, identity.duplicate], [1, 0]);
    });
  });

  it('keeps what it tracked while the collector is busy, limits, forgets to answer, dies, or cannot be reached', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url);
    await openShop(stage, script, async (shop) => {
      await open(shop.page);
      await liveThrough(stage, { ...shop, project }, {
        track: (n) => analytics.track('step', { n }),
        carries: (s) => s.path === '/v1/b',
      });
    });
  });

  it('works below a path of the own domain, taken away by a proxy or by the collector', async () => {
    for (const host of [({ site }) => `${site}/ingest`, ({ server }) => `${server}${PREFIX}`]) {
      const project = await stage.project();
      const script = (_, site) => start(project.key, host({ site, server: stage.server.url }));
      await openShop(stage, script, async ({ page }) => {
        // The settings name the same path again, or nothing would arrive.
        await journey(project, page);
        await told(project);
      });
    }
  });
});
