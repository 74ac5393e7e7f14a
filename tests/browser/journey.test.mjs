/**
 * The way of a newcomer through the real server in a real browser: set-up, the first event, the live view, a
 * funnel, a person, the ledger. Numbers on screen are compared with events that the test itself has sent.
 * Pictures of every station, light and dark, are written to tests/artifacts.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { openBrowser, openPage, shoot } from './support/browser.mjs';
import { eightVisitors } from './support/product.mjs';
import { eventually, send, startServer } from './support/server.mjs';

const VISIBLE_LIMIT_MS = 30_000;
const account = { email: 'ana@example.com', password: 'a long enough password' };

describe('a newcomer', () => {
  let server;
  let browser;
  let page;
  let writeKey;

  before(async () => {
    server = await startServer();
    browser = await openBrowser();
    page = await openPage(browser, server.url);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  afterEach(() => {
    assert.deepEqual(page.complaints.splice(0), [], 'the browser complained');
  });

  it('is led to set-up and told when the code is wrong', async () => {
    await page.goto('/');
    await page.waitForURL('**/setup');
    await shoot(page, '01-setup');
    await fillSetup(page, 'AAAA-AAAA-AAAA');
    page.allowed = [/40\d POST .*\/api\/v1\/setup/];
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('alert').waitFor();
    page.allowed = [];
    assert.match(page.url(), /\/setup$/);
  });

  it('sets the server up with the code from the console', async () => {
    await page.getByLabel('Set-up code').fill(server.code);
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByText('Waiting for your first event').waitFor();
    await shoot(page, '02-waiting');
  });

  it('sees the first event arrive', async () => {
    const snippet = await page.getByLabel('HTTP curl example').innerText();
    writeKey = /Bearer ([^']+)'/.exec(snippet)?.[1];
    assert.ok(writeKey, `no key in: ${snippet}`);
    assert.ok(snippet.includes(server.url), 'the snippet names this server');
    await send(server.url, writeKey, [{ event: 'Hello', user_id: 'first', properties: { from: 'the test' } }]);
    await page.getByText('“Hello” arrived').waitFor({ timeout: VISIBLE_LIMIT_MS });
    await shoot(page, '03-first-event');
    await page.getByRole('link', { name: 'Open the overview' }).click();
    await page.waitForURL('**/p/Music%20app');
  });

  it('sees an event live, without reloading', async () => {
    const stream = page.getByRole('list', { name: 'Newest events' });
    await page.getByText('Live', { exact: true }).waitFor();
    await stream.getByText('Hello').waitFor();
    assert.equal(await stream.getByText('Live Moment').count(), 0);
    await send(server.url, writeKey, [
      { event: 'Live Moment', user_id: 'first', properties: { colour: 'green', n: 3 } },
    ]);
    await stream.getByText('Live Moment').waitFor({ timeout: VISIBLE_LIMIT_MS });
    await stream.getByRole('button', { name: /Live Moment/ }).click();
    await stream.getByText('colour', { exact: true }).waitFor();
  });

  it('counts what was sent on the overview', async () => {
    await send(server.url, writeKey, eightVisitors(Date.now()));
    await eventually('17 more events in the ledger', VISIBLE_LIMIT_MS, async () => {
      const answer = await page.request.get('/api/v1/projects/Music%20app/ledger');
      return (await answer.json()).identity.visible === 19;
    });
    await page.reload();
    await page.getByRole('link', { name: 'Page Viewed' }).waitFor();
    await page.getByText('All accounted for').first().waitFor();
    await shoot(page, '04-overview');
  });

  it('draws a trend, and keeps the whole chart in the address', async () => {
    await page.getByRole('link', { name: 'Trends', exact: true }).click();
    await summary(page, /^9 people were active in the last 30 days/);
    await pick(page, 'Event A', 'Page Viewed');
    await summary(page, /^8 people did Page Viewed in the last 30 days/);
    await pick(page, 'Break down by', 'platform');
    await page.getByRole('list', { name: 'Series' }).getByText('ios').waitFor();
    await page.getByRole('button', { name: 'Show as table' }).click();
    const row = page.getByRole('row', { name: /^whole range/ });
    assert.deepEqual(await row.getByRole('cell').allInnerTexts(), ['4', '4', '']);
    await shoot(page, '05-trend');

    await page.getByRole('button', { name: 'Copy link' }).click();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    await page.goto(link);
    await summary(page, /did Page Viewed/);
    await page.getByRole('list', { name: 'Series' }).getByText('ios').waitFor();
  });

  it('builds a funnel, reorders it by keyboard, and exports it', async () => {
    await page.getByRole('link', { name: 'Funnels' }).click();
    await page.getByText('A funnel needs at least two steps.').waitFor();
    await pick(page, 'Add step 1', 'Signed Up');
    await pick(page, 'Add step 2', 'Page Viewed');
    await pick(page, 'Add step 3', 'Upgraded');
    await summary(page, /^0 of 6 people \(0 %\) reached Upgraded within 7 days/);

    const up = page.getByRole('button', { name: 'Move 2 Page Viewed up' });
    await up.focus();
    await page.keyboard.press('Enter');
    // The focus goes with the step; at the top only its way down is left.
    await page.locator(':focus').and(page.getByRole('button', { name: 'Move 1 Page Viewed down' })).waitFor();
    await summary(page, /^3 of 8 people \(37\.5 %\) reached Upgraded within 7 days, half of them in 25 min or less/);
    await shoot(page, '06-funnel');

    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export CSV' }).click();
    const text = await readText(await download);
    assert.match(text, /^\uFEFFstep,event,people,/);
    assert.match(text, /\r\n3,Upgraded,3,0\.5,0\.375,3,/);
  });

  it('filters a step by a property and explains the chart', async () => {
    await page.getByRole('button', { name: 'Event 3 Upgraded: add condition' }).click();
    await page.getByRole('option', { name: /^price/ }).first().click();
    await page.getByLabel(/Event 3 Upgraded, condition 1: value/).fill('11');
    await summary(page, /^2 of 8 people \(25\.0 %\) reached Upgraded/);
    await page.getByRole('button', { name: 'Explain' }).click();
    const dialog = page.getByRole('dialog', { name: 'How this is computed' });
    await dialog.getByLabel('Plan', { exact: true }).waitFor();
    assert.match(await dialog.getByLabel('Query', { exact: true }).innerText(), /"op": "gte"/);
    await page.keyboard.press('Escape');
  });

  it('reads retention as a triangle', async () => {
    await page.getByRole('link', { name: 'Retention' }).click();
    await page.getByText('Days', { exact: true }).click();
    await page.getByRole('table', { name: /Retention by cohort/ }).waitFor();
    await shoot(page, '07-retention');
  });

  it('finds a person and their whole history', async () => {
    await page.getByRole('link', { name: 'People', exact: true }).click();
    await page.getByLabel('Search people').fill('visitor-1');
    await page.getByRole('link', { name: 'visitor-1@example.com' }).click();
    await page.getByRole('heading', { name: 'visitor-1@example.com' }).waitFor();
    // What the device did before anybody signed in belongs to the person.
    await page.getByRole('button', { name: /Page Viewed/ }).waitFor();
    await page.getByRole('button', { name: /Signed Up/ }).waitFor();
    await page.getByRole('button', { name: /Upgraded/ }).waitFor();
    await page.getByText('browser-test-device-1').first().waitFor();
    await page.getByText('pro', { exact: true }).waitFor();
    await shoot(page, '08-person');
  });

  it('reads the books: every event accounted for', async () => {
    await page.getByRole('link', { name: 'Ledger', exact: true }).click();
    await page.getByTestId('ledger-verdict').getByText('Balanced', { exact: true }).waitFor();
    const equation = page.getByRole('math');
    assert.equal(
      await equation.getAttribute('aria-label'),
      '19 acknowledged equals 19 visible plus 0 duplicate plus 0 filtered plus 0 dead plus 0 pending',
    );
    await shoot(page, '09-ledger');
  });

  it('sees a repeated event counted once, and in the books', async () => {
    await send(server.url, writeKey, eightVisitors(Date.now()).slice(0, 2));
    const expected = /21 acknowledged equals 19 visible plus 2 duplicate/;
    await eventually('two duplicates', VISIBLE_LIMIT_MS, async () =>
      expected.test((await page.getByRole('math').getAttribute('aria-label')) ?? ''),
    );
    await page.getByTestId('ledger-verdict').getByText('Balanced', { exact: true }).waitFor();
  });

  it('connects a source with the real key', async () => {
    await page.getByRole('link', { name: 'Sources', exact: true }).click();
    await page.getByRole('tab', { name: 'PostHog', exact: true }).click();
    await page.getByRole('tab', { name: 'PostHog Python' }).click();
    const code = await page.getByLabel('PostHog Python example').innerText();
    assert.ok(code.includes(writeKey) && code.includes(server.url), code);
    await shoot(page, '10-sources');
  });

  it('signs out, is asked to sign in, and comes back to where they were', async () => {
    const place = page.url();
    await page.getByRole('button', { name: /^Account of/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.waitForURL('**/login');
    await shoot(page, '11-login');
    await page.goto(place);
    await page.waitForURL('**/login?**');

    page.allowed = [/401 POST .*\/api\/v1\/login/];
    await signIn(page, 'not the password');
    await page.getByRole('alert').waitFor();
    page.allowed = [];
    await signIn(page, account.password);
    await page.waitForURL(place);
    await page.getByRole('heading', { name: 'Sources' }).waitFor();
  });

  it('works on a phone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const path of ['', '/charts/funnel', '/persons', '/ledger', '/events', '/sources']) {
      await page.goto(`/p/Music%20app${path}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(over <= 0, `${path || 'overview'} is ${over} px wider than the screen`);
    }
    await page.getByRole('button', { name: 'Open navigation' }).click();
    await page.getByRole('dialog').getByRole('link', { name: 'Overview', exact: true }).click();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await shoot(page, '12-phone');
  });
});

async function fillSetup(page, code) {
  await page.getByLabel('Set-up code').fill(code);
  await page.getByLabel('Name', { exact: true }).fill('Ana');
  await page.getByLabel('E-mail').fill(account.email);
  await page.getByRole('textbox', { name: 'Password' }).fill(account.password);
  await page.getByLabel('Project name').fill('Music app');
  await page.getByRole('combobox', { name: 'Time zone' }).fill('UTC');
  await page.getByRole('option', { name: 'UTC', exact: true }).first().click();
}

async function signIn(page, password) {
  await page.getByLabel('E-mail').fill(account.email);
  await page.getByRole('textbox', { name: 'Password' }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Opens a picker by its label and takes an entry of its list. */
async function pick(page, label, choice) {
  await page.getByRole('button', { name: new RegExp(`^${label}:`) }).click();
  await page.getByRole('textbox', { name: /^Search/ }).fill(choice);
  await page.getByRole('option', { name: new RegExp(`^${choice}`) }).first().click();
}

/** Waits until the chart's sentence reads so. */
async function summary(page, pattern) {
  await page.getByTestId('summary').filter({ hasText: pattern }).waitFor({ timeout: VISIBLE_LIMIT_MS });
}

async function readText(download) {
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
