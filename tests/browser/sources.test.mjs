/**
 * Who sends, in a real browser: nothing yet, a source with its last event and its volume, one that falls silent and is
 * let go by keyboard, an answer that does not come. Pictures are written to tests/artifacts.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { barriers, openBrowser, openPage, shoot } from './support/browser.mjs';
import { eventually, send, startServer } from './support/server.mjs';

const PATIENCE_MS = 60_000;
/** As in production, with seconds in place of minutes. */
const WATCH = `every_seconds = 1
[thresholds]
source_observed_minutes = 0.05
source_silent_minutes = 0.1
source_missing_events = 1
`;

describe('the sources of a project', () => {
  let server;
  let browser;
  let page;
  let key;
  let sent = 0;

  const list = async () => (await (await page.request.get('/api/v1/projects/shop/sources')).json()).sources;
  const state = async (library) => (await list()).find((s) => s.library === library)?.state;
  const order = (library) =>
    send(server.url, key, [
      { event: 'Order', user_id: 'u', insert_id: `i${sent++}`, properties: { $lib: library, $lib_version: '2.1' } },
    ]);
  const sends = (library, until) =>
    eventually(`${library} is ${until}`, PATIENCE_MS, async () => {
      if (until !== 'silent') await order(library);
      return (await state(library)) === until;
    });

  before(async () => {
    server = await startServer();
    await writeFile(join(server.data, 'watch.toml'), WATCH);
    browser = await openBrowser();
    page = await openPage(browser, server.url);
    const data = {
      code: server.code,
      email: 'ana@example.com',
      password: 'a long enough password',
      project: { name: 'shop', timezone: 'UTC' },
    };
    const made = await page.request.post('/api/v1/setup', { data });
    assert.ok(made.ok(), await made.text());
    key = (await made.json()).project.write_key;
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  afterEach(() => {
    assert.deepEqual(page.complaints.splice(0), [], 'the browser complained');
  });

  it('says that nothing has been sent yet', async () => {
    await page.goto('/p/shop');
    await page.getByRole('link', { name: 'Sources', exact: true }).click();
    await page.getByRole('heading', { name: 'Who sends' }).waitFor();
    await page.getByText('Nothing has been sent yet').waitFor();
    assert.deepEqual(await barriers(page), []);
  });

  it('shows who sends, how much, and since when', async () => {
    await sends('orders-api', 'as_usual');
    const row = page.getByRole('listitem', { name: /^Tallymark orders-api/ });
    await row.getByText('As usual').waitFor();
    await row.getByText(/^Last event/).waitFor();
    const [source] = await list();
    const total = source.minutes.reduce((a, b) => a + b, 0);
    assert.equal(total, sent, 'every event of the last hour is counted');
    await row.getByText(new RegExp(`^${total} events in the last hour`)).waitFor();
    await row.getByText('a minute now, usually').waitFor();
    await row.getByRole('heading', { name: 'Tallymark orders-api 2.1' }).waitFor();
  });

  it('shows one that fell silent beside one that sends, light and dark, wide and narrow', async () => {
    await sends('orders-api', 'silent');
    await sends('storefront', 'as_usual');
    const row = page.getByRole('listitem', { name: /^Tallymark orders-api/ });
    await row.getByText('Silent', { exact: true }).waitFor();
    await page.getByText('1 source sends less than usual.').waitFor();
    assert.deepEqual(await barriers(page), []);
    await shoot(page, '60-sources');
    await page.setViewportSize({ width: 360, height: 740 });
    const [inside, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(inside <= window, `${inside} px in a window of ${window} px`);
    await shoot(page, '61-sources-narrow');
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.goto('/operate');
    await page.getByText('A source of events fell silent').first().waitFor();
  });

  it('lets it go by keyboard, after asking', async () => {
    await page.goto('/p/shop/sources');
    const row = page.getByRole('listitem', { name: /^Tallymark orders-api/ });
    await row.getByRole('button', { name: 'Tallymark orders-api ended' }).focus();
    await page.keyboard.press('Enter');
    await row.getByText('Forget this source? Its events stay.').waitFor();
    await row.getByRole('button', { name: 'Keep it' }).focus();
    await page.keyboard.press('Enter');
    await row.getByRole('button', { name: 'Stop watching Tallymark orders-api' }).focus();
    await page.keyboard.press('Enter');
    await row.getByText('Not watched', { exact: true }).waitFor();
    await row.getByRole('button', { name: 'Tallymark orders-api ended' }).focus();
    await page.keyboard.press('Enter');
    await row.getByRole('button', { name: 'Yes, it ended' }).focus();
    await page.keyboard.press('Enter');
    await row.waitFor({ state: 'detached' });
    assert.deepEqual((await list()).map((s) => s.library), ['storefront']);
  });

  it('shows how far files are, and what somebody must look at', async () => {
    const file = {
      name: 'orders',
      from: 's3://exports/shop/orders',
      format: 'mapped',
      state: 'working',
      objects: 1000,
      done: 640,
      failed: [{ object: 'orders/7.csv.gz', reason: 'cut off' }],
      changed: ['orders/3.csv.gz'],
      unknown: [],
      rows: 3_200_000,
      rejected: 12,
      seconds_left: 90,
      last_object: 's3://exports/shop/orders/639.csv.gz',
      last_object_at: new Date().toISOString(),
    };
    await page.route('**/api/v1/projects/shop/files', (route) => route.fulfill({ json: { files: [file] } }));
    await page.goto('/p/shop/sources');
    const row = page.getByRole('listitem', { name: 'Files orders' });
    await row.getByText('640 of 1,000 objects, 359 waiting, 1 failed').waitFor();
    await row.getByText('3,200,000 rows, 12 refused').waitFor();
    await row.getByText('About 1 min 30 s left').waitFor();
    await row.getByText('Changed after they were taken: orders/3.csv.gz').waitFor();
    await row.getByText('orders/7.csv.gz cannot be read: cut off').waitFor();
    assert.deepEqual(await barriers(page), []);
    await shoot(page, '62-files');
    await page.setViewportSize({ width: 360, height: 740 });
    const [inside, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(inside <= window, `${inside} px in a window of ${window} px`);
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.unroute('**/api/v1/projects/shop/files');
  });

  it('says what is wrong when the list cannot be read, and tries again', async () => {
    page.allowed.push(/503 GET .*\/sources$/);
    const error = { error: { code: 'TM0501', message: 'The watch cannot be asked.', hint: 'Try again.' } };
    await page.route('**/api/v1/projects/shop/sources', (route) => route.fulfill({ status: 503, json: error }));
    await page.reload();
    await page.getByText('The sources could not be read').waitFor();
    await page.unroute('**/api/v1/projects/shop/sources');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('listitem', { name: /^Tallymark storefront/ }).waitFor();
  });
});
