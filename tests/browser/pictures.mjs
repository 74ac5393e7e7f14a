/**
 * Takes the pictures of the documents (docs/images) from the demo product: `npm run pictures`.
 * Not a test; run it when the app's looks have changed.
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openBrowser, openPage } from './support/browser.mjs';
import { eventually, startServer } from './support/server.mjs';

const IMAGES = resolve(import.meta.dirname, '../../docs/images');
const EVENTS = 60_000;
const LOADED_LIMIT_MS = 300_000;

const chart = (kind, state) =>
  `charts/${kind}?${Object.entries(state)
    .map(([k, v]) => `${k}=${encodeURIComponent(typeof v === 'string' ? v : JSON.stringify(v))}`)
    .join('&')}`;

const pictures = [
  { name: 'overview', scheme: 'light', path: '' },
  {
    name: 'funnel',
    scheme: 'light',
    path: chart('funnel', {
      steps: [{ event: 'Page Viewed' }, { event: 'Signed Up' }, { event: 'Checkout Started' }, { event: 'Upgraded' }],
      window: '30d',
      range: '90d',
    }),
  },
  {
    name: 'retention',
    scheme: 'dark',
    path: chart('retention', { start: { event: 'Signed Up' }, interval: 'week', range: '10w', periods: 9 }),
  },
  { name: 'ledger', scheme: 'light', path: 'ledger' },
];

const server = await startServer(['--demo', String(EVENTS)]);
const browser = await openBrowser();
try {
  const page = await openPage(browser, server.url);
  const done = await page.request.post('/api/v1/setup', {
    data: { code: server.code, email: 'ana@example.com', password: 'a long enough password', name: 'Ana' },
  });
  if (!done.ok()) throw new Error(await done.text());
  await eventually('the demo to be loaded', LOADED_LIMIT_MS, async () => {
    const { identity } = await (await page.request.get('/api/v1/projects/demo/ledger')).json();
    return identity.visible > EVENTS * 0.7 && identity.pending < 50;
  });
  await mkdir(IMAGES, { recursive: true });
  for (const { name, scheme, path } of pictures) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.goto(`/p/demo/${path}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await eventually('the numbers', 20_000, async () => {
      const waiting = await page.getByRole('status').filter({ hasText: /…$/ }).count();
      return waiting === 0 && (await page.locator('[aria-busy="true"]').count()) === 0;
    });
    // The live view should show something happening.
    if (path === '') await page.waitForTimeout(6_000);
    await page.screenshot({ path: join(IMAGES, `${name}.png`) });
    console.log(`docs/images/${name}.png`);
  }
} finally {
  await browser.close();
  await server.stop();
}
