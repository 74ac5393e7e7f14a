/** @amplitude/analytics-browser from npm in a real Chromium, on a page of another origin. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { liveThrough } from './support/outage.mjs';
import { eventually } from './support/server.mjs';
import { counted, openShop, openStage, PREFIX } from './support/shop.mjs';

const SENT_MS = 60_000;
const ANA = 'ana@example.com';

describe('@amplitude/analytics-browser', () => {
  let stage;

  before(async () => {
    stage = await openStage();
  });
  after(() => stage?.close());

  /** What a team changes: the two addresses. */
  const start = (key, host, more = {}) => {
    const options = {
      serverUrl: `${host}/2/httpapi`,
      remoteConfig: { serverUrl: `${host}/config` },
      autocapture: { sessions: true, pageViews: true, attribution: true, elementInteractions: true },
      ...more,
    };
    return `<script src="/sdk/amplitude.js"></script><script>
      amplitude.init('${key}', ${JSON.stringify(options)}).promise.then(() => { window.ready = true; });
    </script>`;
  };
  const quiet = { autocapture: false };

  const open = async (page, path = '/?utm_source=news&utm_campaign=may') => {
    await page.goto(path);
    await page.waitForFunction(() => window.ready);
  };
  const arrived = (project, visible) =>
    eventually(`${visible} events`, SENT_MS, async () => (await project.get('ledger')).identity.visible >= visible);

  const journey = async (project, page) => {
    await open(page);
    await page.click('#buy');
    await page.evaluate((user) => {
      amplitude.setUserId(user);
      amplitude.identify(new amplitude.Identify().set('plan', 'free').setOnce('first_source', 'ads').add('visits', 1));
      amplitude.track('order completed', { items: 2 });
      amplitude.revenue(new amplitude.Revenue().setProductId('book').setPrice(24.75).setQuantity(2));
      amplitude.setGroup('company', 'acme');
      amplitude.groupIdentify('company', 'acme', new amplitude.Identify().set('seats', 12));
    }, ANA);
    await arrived(project, 9);
    await page.evaluate(() => {
      amplitude.identify(new amplitude.Identify().set('plan', 'pro').add('visits', 1));
      amplitude.track('invited');
    });
    await arrived(project, 11);
  };

  const told = async (project) => {
    const identity = await project.settled(11);
    assert.equal(identity.duplicate, 0);
    const events = await project.events();
    const counts = counted(events.map((e) => e.event));
    // How often the viewport is reported depends on how fast the page is drawn.
    delete counts['[Amplitude] Viewport Content Updated'];
    assert.deepEqual(counts, {
      // Attribution; the properties; the group of the person; `plan` once more.
      $identify: 4,
      session_start: 1,
      '[Amplitude] Page Viewed': 1,
      '[Amplitude] Element Clicked': 1,
      'order completed': 1,
      revenue_amount: 1,
      $groupidentify: 1,
      invited: 1,
    });
    return events;
  };

  it('tells a whole visit: session, page view, click, identify, revenue, group, properties', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url);
    await openShop(stage, script, async ({ hop, page, complaints }) => {
      await journey(project, page);
      const events = await told(project);
      const seen = hop.seen.filter((s) => s.path === '/2/httpapi');
      assert.equal(seen.find((s) => s.method === 'OPTIONS').status, 204);
      for (const post of seen.filter((s) => s.method === 'POST')) {
        assert.deepEqual([post.type, post.encoding, post.status], ['application/json', '', 200]);
      }
      assert.ok(hop.seen.some((s) => s.path === `/config/${project.key}` && s.status === 200));

      const named = (name) => events.find((e) => e.event === name);
      const click = named('[Amplitude] Element Clicked').properties;
      assert.equal(click['[Amplitude] Element Text'], 'Buy now');
      assert.equal(click['[Amplitude] Element Hierarchy'][0].id, 'buy');
      assert.equal(named('session_start').session_id, named('invited').session_id);
      assert.deepEqual(named('$groupidentify').groups, { company: 'acme' });

      assert.equal(await project.measure('revenue_amount', 'sum', { property: 'revenue' }), 49.5);
      assert.equal(await project.measure('*', 'uniques'), 1);
      const person = await project.get(`persons/${encodeURIComponent(ANA)}`);
      assert.deepEqual(person.user_ids, [ANA]);
      assert.deepEqual(person.device_ids, [named('session_start').device_id]);
      const { plan, first_source, visits, company, initial_utm_source } = person.properties;
      assert.deepEqual(
        { plan, first_source, visits, company, initial_utm_source },
        { plan: 'pro', first_source: 'ads', visits: 2, company: 'acme', initial_utm_source: 'news' },
      );
      const { total } = await project.sessions();
      assert.deepEqual([total.sessions, total.users], [1, 1]);
      assert.deepEqual(complaints, []);
    });
  });

  it('with compressed bodies', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url, { ...quiet, enableRequestBodyCompression: true });
    await openShop(stage, script, async ({ hop, page }) => {
      await open(page);
      await page.evaluate(() => {
        for (let n = 0; n < 10; n++) amplitude.track('step', { n, text: 'x'.repeat(300) });
      });
      const identity = await project.settled(10);
      assert.deepEqual([identity.visible, identity.duplicate], [10, 0]);
      const posts = hop.seen.filter((s) => s.path === '/2/httpapi' && s.method === 'POST');
      assert.ok(posts.some((s) => s.encoding === 'gzip' && s.status === 200));
    });
  });

  it('a page that closes: with a beacon at once, without one on the next page', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url, quiet);
    await openShop(stage, script, async ({ hop, page }) => {
      await open(page);
      await page.evaluate(() => {
        window.addEventListener('pagehide', () => {
          amplitude.setTransport('beacon');
          amplitude.flush();
        });
        amplitude.track('by beacon');
      });
      await page.goto('about:blank');
      await project.settled(1);
      const beacon = hop.seen.findLast((s) => s.path === '/2/httpapi' && s.method === 'POST');
      assert.equal(beacon.status, 200);

      await open(page);
      await page.evaluate(() => amplitude.track('kept'));
      await page.goto('about:blank');
      await open(page);
      await page.evaluate(() => amplitude.track('next'));
      // The beacon's answer is never read, so its event is sent again, and counted once.
      const identity = await project.settled(3);
      assert.equal(identity.visible, 3);
      assert.deepEqual(counted((await project.events()).map((e) => e.event)), { 'by beacon': 1, kept: 1, next: 1 });
    });
  });

  it('keeps what it tracked while the collector is busy, limits, forgets to answer, dies, or cannot be reached', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url, quiet);
    await openShop(stage, script, async (shop) => {
      await open(shop.page);
      await liveThrough(stage, { ...shop, project }, {
        track: (n) => amplitude.track('step', { n }),
        carries: (s) => s.path === '/2/httpapi',
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
