/** Every view, in light and dark, without barriers that axe can find, and under the server's content policy. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { barriers, openBrowser, openPage } from './support/browser.mjs';
import { eightVisitors } from './support/product.mjs';
import { eventually, send, startServer } from './support/server.mjs';

const chart = (kind, state) =>
  `/p/demo-shop/charts/${kind}?${Object.entries(state)
    .map(([k, v]) => `${k}=${encodeURIComponent(typeof v === 'string' ? v : JSON.stringify(v))}`)
    .join('&')}`;

const views = {
  overview: '/p/demo-shop',
  events: '/p/demo-shop/events',
  people: '/p/demo-shop/persons',
  person: '/p/demo-shop/persons/visitor-1',
  trend: chart('segmentation', { series: [{ event: 'Page Viewed' }], by: 'event.platform' }),
  bars: chart('segmentation', { series: [{ event: 'Signed Up' }], view: 'bar', interval: 'hour', range: '1d' }),
  funnel: chart('funnel', { steps: [{ event: 'Page Viewed' }, { event: 'Upgraded' }] }),
  'funnel by group': chart('funnel', {
    steps: [{ event: 'Page Viewed' }, { event: 'Upgraded', where: [['event.price', 'gte', 1]] }],
    by: 'event.platform',
  }),
  'empty funnel': '/p/demo-shop/charts/funnel',
  retention: chart('retention', { start: { event: 'Page Viewed' }, interval: 'day', range: '7d', periods: 6 }),
  ledger: '/p/demo-shop/ledger',
  sources: '/p/demo-shop/sources',
  'unknown project': '/p/there-is-none',
};

describe('everyone can use', () => {
  let server;
  let browser;
  let page;

  before(async () => {
    server = await startServer();
    browser = await openBrowser();
    page = await openPage(browser, server.url);
    const done = await page.request.post('/api/v1/setup', {
      data: {
        code: server.code,
        email: 'ana@example.com',
        password: 'a long enough password',
        project: { name: 'demo-shop', timezone: 'Europe/Berlin' },
      },
    });
    assert.ok(done.ok(), await done.text());
    const { projects } = await (await page.request.get('/api/v1/projects')).json();
    await send(server.url, projects[0].write_key, eightVisitors(Date.now()));
    await eventually('the events to be visible', 30_000, async () => {
      const answer = await page.request.get('/api/v1/projects/demo-shop/ledger');
      return (await answer.json()).identity.visible === 17;
    });
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  for (const [name, path] of Object.entries(views)) {
    it(name, async () => {
      page.allowed = name === 'unknown project' ? [/404 GET/] : [];
      await page.goto(path);
      await page.getByRole('main').waitFor();
      await settled(page);
      assert.deepEqual(await barriers(page), []);
      assert.deepEqual(page.complaints.splice(0), [], 'the browser complained');
    });
  }

  it('the sign-in page', async () => {
    const stranger = await openPage(browser, server.url);
    await stranger.goto('/p/demo-shop');
    await stranger.waitForURL('**/login?**');
    await stranger.getByRole('button', { name: 'Sign in' }).waitFor();
    assert.deepEqual(await barriers(stranger), []);
    assert.deepEqual(stranger.complaints, []);
    await stranger.context().close();
  });

  it('the page policy, which allows no inline script', async () => {
    const answer = await page.goto('/p/demo-shop');
    const policy = answer.headers()['content-security-policy'] ?? '';
    const scripts = /script-src ([^;]*)/.exec(policy)?.[1] ?? '';
    assert.match(scripts, /'self'/);
    assert.doesNotMatch(scripts, /unsafe/);
    assert.equal(await page.locator('script:not([src])').count(), 0);
  });
});

/** Until nothing says that it is loading. */
async function settled(page) {
  await eventually('the view to settle', 20_000, async () => {
    const loading = await page.getByRole('status').filter({ hasText: /…$/ }).count();
    const busy = await page.locator('[aria-busy="true"]').count();
    const title = await page.locator('h1, main p').count();
    return loading === 0 && busy === 0 && title > 0;
  });
}
