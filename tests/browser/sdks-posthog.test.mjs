/** posthog-js from npm in a real Chromium, on a page of another origin: what it captured is there, once. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { liveThrough } from './support/outage.mjs';
import { eventually } from './support/server.mjs';
import { counted, openShop, openStage, PREFIX } from './support/shop.mjs';

const SENT_MS = 60_000;
const INGESTION = ['/e/', '/i/v0/e/'];

describe('posthog-js', () => {
  let stage;

  before(async () => {
    stage = await openStage();
  });
  after(() => stage?.close());

  /** The whole of what a team changes: `api_host`. The filter would keep the test's own browser, a robot, away. */
  const start = (key, host, more = {}) => `<script type="module">
    import posthog from '/sdk/posthog.js';
    const options = { api_host: '${host}', opt_out_useragent_filter: true, loaded: () => { window.ready = true; } };
    posthog.init('${key}', { ...options, ...${JSON.stringify(more)} });
    window.posthog = posthog;
  </script>`;

  const arrived = (project, visible) =>
    eventually(`${visible} events`, SENT_MS, async () => (await project.get('ledger')).identity.visible >= visible);

  const journey = async (project, page) => {
    await page.goto('/?utm_source=news&utm_campaign=may');
    await page.waitForFunction(() => window.ready);
    await page.click('#buy');
    await page.evaluate(() => {
      posthog.identify('ana', { email: 'ana@example.com', plan: 'free' }, { first_source: 'ads' });
      posthog.capture('order completed', { revenue: 49.5, currency: 'EUR', items: 2 });
      posthog.capture('order completed', { revenue: 10.25, currency: 'EUR', items: 1 });
    });
    await arrived(project, 5);
    await page.evaluate(() => {
      posthog.group('company', 'acme', { seats: 12 });
      posthog.setPersonProperties({ plan: 'pro' });
      posthog.capture('invited');
    });
    await arrived(project, 8);
  };

  const close = async (page) => {
    // What was captured a moment before the page goes leaves with `sendBeacon`.
    await page.evaluate(() => posthog.capture('last words'));
    await page.goto('about:blank');
  };

  const told = async (project) => {
    const identity = await project.settled(10);
    assert.deepEqual([identity.visible, identity.duplicate], [10, 0]);
    const events = await project.events();
    assert.deepEqual(counted(events.map((e) => e.event)), {
      $pageview: 1,
      $autocapture: 1,
      $identify: 1,
      'order completed': 2,
      $groupidentify: 1,
      $set: 1,
      invited: 1,
      'last words': 1,
      $pageleave: 1,
    });
    return events;
  };

  it('tells a whole visit: page view, click, identify, revenue, group, properties, leaving', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url);
    await openShop(stage, script, async ({ hop, page, complaints }) => {
      await journey(project, page);
      await close(page);
      const events = await told(project);

      // Gzip under a type that needs no preflight, the beacon too.
      const posts = hop.seen.filter((s) => INGESTION.includes(s.path));
      assert.ok(posts.length >= 3);
      for (const post of posts) {
        assert.deepEqual([post.method, post.type, post.status], ['POST', 'text/plain', 200]);
        assert.ok(post.head.startsWith('\x1f\x8b'), post.head);
      }
      assert.deepEqual(hop.seen.filter((s) => s.method === 'OPTIONS'), []);
      assert.ok(hop.seen.some((s) => s.path.endsWith('/config') && s.status === 200));
      assert.ok(hop.seen.some((s) => s.path === '/flags/' && s.status === 200));

      const named = (name) => events.find((e) => e.event === name);
      assert.equal(named('$pageview').user_id, null);
      assert.equal(named('$pageview').properties.utm_source, 'news');
      const click = named('$autocapture').properties;
      assert.equal(click.$el_text, 'Buy now');
      assert.match(click.$elements_chain, /^button\.btn\.primary:.*attr__id="buy".*;section:.*;main\.content:/);
      assert.deepEqual(named('invited').groups, { company: 'acme' });
      assert.equal(new Set(events.map((e) => e.session_id)).size, 1);

      assert.equal(await project.measure('order completed', 'sum', { property: 'revenue' }), 59.75);
      assert.equal(await project.measure('order completed', 'uniques'), 1);
      assert.equal(await project.measure('*', 'uniques'), 1);
      const person = await project.get('persons/ana');
      assert.deepEqual(person.user_ids, ['ana']);
      assert.deepEqual(person.device_ids, [named('$pageview').device_id]);
      const { email, plan, first_source, $initial_utm_source } = person.properties;
      assert.deepEqual({ email, plan, first_source, $initial_utm_source }, {
        email: 'ana@example.com',
        plan: 'pro',
        first_source: 'ads',
        $initial_utm_source: 'news',
      });
      const { total } = await project.sessions();
      assert.deepEqual([total.sessions, total.users], [1, 1]);
      assert.deepEqual(complaints, []);
    });
  });

  it('without compression: preflighted JSON, and base64 from a page that closes', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url, { disable_compression: true });
    await openShop(stage, script, async ({ hop, page }) => {
      await journey(project, page);
      await close(page);
      await told(project);
      const posts = hop.seen.filter((s) => INGESTION.includes(s.path) && s.method === 'POST');
      const types = counted(posts.map((s) => `${s.type} ${s.query.get('compression')}`));
      assert.ok(types['application/json null'] >= 2, JSON.stringify(types));
      assert.ok(types['application/x-www-form-urlencoded base64'] >= 1, JSON.stringify(types));
      const preflight = hop.seen.find((s) => s.method === 'OPTIONS' && INGESTION.includes(s.path));
      assert.equal(preflight.status, 204);
    });
  });

  it('keeps what it captured while the collector is busy, forgets to answer, dies, or cannot be reached', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url, { autocapture: false, capture_pageview: false });
    await openShop(stage, script, async (shop) => {
      await shop.page.goto('/');
      await shop.page.waitForFunction(() => window.ready);
      await liveThrough(stage, { ...shop, project }, {
        track: (n) => posthog.capture('step', { n }),
        carries: (s) => INGESTION.includes(s.path),
        drops: ['strict'],
      });
    });
  });

  it('works below a path of the own domain, taken away by a proxy or by the collector', async () => {
    for (const host of [({ site }) => `${site}/ingest`, ({ server }) => `${server}${PREFIX}`]) {
      const project = await stage.project();
      const script = (_, site) => start(project.key, host({ site, server: stage.server.url }));
      await openShop(stage, script, async ({ page }) => {
        await journey(project, page);
        await close(page);
        await told(project);
      });
    }
  });
});
