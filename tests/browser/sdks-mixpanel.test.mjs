/** mixpanel-browser from npm in a real Chromium, on a page of another origin: only `api_host` is changed. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { liveThrough } from './support/outage.mjs';
import { eventually } from './support/server.mjs';
import { counted, openShop, openStage, PREFIX } from './support/shop.mjs';

const SENT_MS = 60_000;

describe('mixpanel-browser', () => {
  let stage;

  before(async () => {
    stage = await openStage();
  });
  after(() => stage?.close());

  /** What a team changes: `api_host`. The rest is what it would have anyway. */
  const start = (key, host, more = {}) => `<script type="module">
    import mixpanel from '/sdk/mixpanel.js';
    mixpanel.init('${key}', { api_host: '${host}', ...${JSON.stringify(more)} });
    window.mixpanel = mixpanel;
    window.ready = true;
  </script>`;
  /** The clicked button and its text, nothing that depends on how fast the page is drawn. */
  const captured = { pageview: 'full-url', click: true, capture_text_content: true };
  const AUTOCAPTURE = { ...captured, dead_click: false, input: false, scroll: false, submit: false, rage_click: false };

  const open = async (page, path = '/?utm_source=news&utm_campaign=may') => {
    await page.goto(path);
    await page.waitForFunction(() => window.ready);
  };
  const arrived = (project, visible) =>
    eventually(`${visible} events`, SENT_MS, async () => (await project.get('ledger')).identity.visible >= visible);

  const journey = async (project, page) => {
    await open(page);
    await page.click('#buy');
    await page.evaluate(() => {
      mixpanel.identify('ana');
      mixpanel.people.set({ $email: 'ana@example.com', plan: 'free' });
      mixpanel.people.set_once('first_source', 'ads');
      mixpanel.people.increment('visits');
      mixpanel.track('Order Completed', { revenue: 49.5, currency: 'EUR', items: 2 });
      mixpanel.track('Order Completed', { revenue: 10.25, currency: 'EUR', items: 1 });
      mixpanel.get_group('company', 'acme').set({ seats: 12 });
    });
    // Beside the events: the first source of the person, and four changes of it.
    await arrived(project, 9);
    await page.evaluate(() => {
      mixpanel.people.set('plan', 'pro');
      mixpanel.people.increment('visits');
      mixpanel.track('Invited');
    });
    await arrived(project, 12);
  };

  const told = async (project, clicks) => {
    const identity = await project.settled(12 + clicks);
    assert.deepEqual([identity.visible, identity.duplicate], [12 + clicks, 0]);
    const events = await project.events();
    assert.deepEqual(counted(events.map((e) => e.event)), {
      $mp_web_page_view: 1,
      ...(clicks ? { $mp_click: clicks } : {}),
      $identify: 7,
      'Order Completed': 2,
      $groupidentify: 1,
      Invited: 1,
    });
    return events;
  };

  it('tells a whole visit: page view, click, identify, revenue, group, properties', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url, { autocapture: AUTOCAPTURE });
    await openShop(stage, script, async ({ hop, page, complaints }) => {
      await journey(project, page);
      const events = await told(project, 1);
      const posts = hop.seen.filter((s) => s.method === 'POST');
      assert.deepEqual(Object.keys(counted(posts.map((s) => s.path))).sort(), ['/engage/', '/groups/', '/track/']);
      for (const post of posts) {
        assert.deepEqual([post.type, post.status], ['application/x-www-form-urlencoded', 200]);
        // The base64 of the beginning of a list.
        assert.ok(post.head.startsWith('data=W3s'), post.head);
      }
      assert.deepEqual(hop.seen.filter((s) => s.method === 'OPTIONS'), []);

      const named = (name) => events.find((e) => e.event === name);
      const view = named('$mp_web_page_view');
      assert.equal(view.user_id, null);
      assert.equal(view.properties.utm_source, 'news');
      const click = named('$mp_click').properties;
      assert.equal(click.$el_text, 'Buy now');
      assert.match(click.$elements_chain, /^button\.btn\.primary:.*attr__id="buy".*text="Buy now";section.*;main\.content:/);
      assert.equal(await project.measure('Order Completed', 'sum', { property: 'revenue' }), 59.75);
      assert.equal(await project.measure('Order Completed', 'uniques'), 1);
      assert.equal(await project.measure('*', 'uniques'), 1);
      const person = await project.get('persons/ana');
      assert.deepEqual(person.user_ids, ['ana']);
      assert.deepEqual(person.device_ids, [view.device_id]);
      const { $email, plan, first_source, visits, initial_utm_source } = person.properties;
      assert.deepEqual(
        { $email, plan, first_source, visits, initial_utm_source },
        { $email: 'ana@example.com', plan: 'pro', first_source: 'ads', visits: 2, initial_utm_source: 'news' },
      );
      assert.deepEqual(complaints, []);
    });
  });

  it('without autocapture, one request for each call, as JSON', async () => {
    const project = await stage.project();
    const options = { track_pageview: true, batch_requests: false, api_payload_format: 'json' };
    const script = (hop) => start(project.key, hop.url, options);
    await openShop(stage, script, async ({ hop, page }) => {
      await journey(project, page);
      await told(project, 0);
      const posts = hop.seen.filter((s) => s.method === 'POST');
      assert.equal(posts.length, 12);
      for (const post of posts) assert.ok(post.status === 200 && /^data=%7B/.test(post.head), post.head);
    });
  });

  it('goes on after asking for settings and flags, and with recordings that nobody keeps', async () => {
    const project = await stage.project();
    const asks = { flags: true, remote_settings_mode: 'strict', debug: true };
    const script = (hop) => start(project.key, hop.url, asks);
    await openShop(stage, script, async ({ hop, page, complaints }) => {
      await open(page);
      assert.equal(await page.evaluate(() => mixpanel.flags.get_variant_value('any', 'none')), 'none');
      await page.evaluate(() => mixpanel.track('went on'));
      await project.settled(1);
      for (const path of ['/settings/', '/flags/']) {
        assert.deepEqual(counted(hop.seen.filter((s) => s.path === path).map((s) => `${s.method} ${s.status}`)), {
          'OPTIONS 204': 1,
          'GET 200': 1,
        });
      }
      assert.deepEqual(complaints, []);
    });
    const recorded = (hop) => start(project.key, hop.url, { record_sessions_percent: 100, record_min_ms: 0 });
    await openShop(stage, recorded, async ({ hop, page }) => {
      await open(page);
      await page.click('#buy');
      await eventually('a recording', SENT_MS, () => hop.seen.some((s) => s.path === '/record/' && s.status === 200));
      await page.evaluate(() => mixpanel.track('went on'));
      // And `$mp_session_record`, an event about the recording.
      await eventually('the event', SENT_MS, async () => (await project.measure('went on')) === 2);
    });
  });

  it('a page that closes sends what it has not sent yet, and sends it again on the next page', async () => {
    const project = await stage.project();
    const script = (hop) => start(project.key, hop.url);
    await openShop(stage, script, async ({ hop, page }) => {
      await open(page, '/');
      await page.evaluate(() => mixpanel.track('last words'));
      await page.goto('about:blank');
      await project.settled(1);
      const beacon = hop.seen.findLast((s) => s.path === '/track/');
      assert.deepEqual([beacon.method, beacon.status], ['POST', 200]);
      // The answer to a beacon is never read, so its event is sent again, and counted once.
      await open(page, '/');
      await eventually('the copy', SENT_MS, async () => (await project.get('ledger')).identity.duplicate === 1);
      const identity = await project.settled(1);
      assert.equal(identity.visible, 1);
    });
  });

  it('keeps what it tracked while the collector is busy, limits, forgets to answer, dies, or cannot be reached', async () => {
    const project = await stage.project();
    // What fails is tried again after twice this time, then four times, and so on.
    const script = (hop) => start(project.key, hop.url, { batch_flush_interval_ms: 500 });
    await openShop(stage, script, async (shop) => {
      // Without CORS headers it takes a refusal for a lost cause while the browser is online.
      shop.hop.frank = true;
      await open(shop.page, '/');
      await liveThrough(stage, { ...shop, project }, {
        track: (n) => mixpanel.track('step', { n }),
        carries: (s) => s.path === '/track/',
      });
    });
  });

  it('works below a path of the own domain, taken away by a proxy or by the collector', async () => {
    for (const host of [({ site }) => `${site}/ingest`, ({ server }) => `${server}${PREFIX}`]) {
      const project = await stage.project();
      const script = (_, site) =>
        start(project.key, host({ site, server: stage.server.url }), { autocapture: AUTOCAPTURE });
      await openShop(stage, script, async ({ page }) => {
        await journey(project, page);
        await told(project, 1);
      });
    }
  });
});
