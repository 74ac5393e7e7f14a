/**
 * The books in a real browser: the public status page, and an operator who reprocesses, skips and changes settings.
 * Pictures of every station, light and dark, are written to tests/artifacts.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { barriers, openBrowser, openPage, shoot } from './support/browser.mjs';
import { eightVisitors } from './support/product.mjs';
import { eventually, send, startServer } from './support/server.mjs';

const account = { email: 'ops@example.com', password: 'a long enough password' };

describe('the books', () => {
  let server;
  let browser;
  let page;

  before(async () => {
    server = await startServer();
    browser = await openBrowser();
    page = await openPage(browser, server.url);
    await page.goto('/setup');
    await page.getByLabel('Set-up code').fill(server.code);
    await page.getByLabel('Name', { exact: true }).fill('Ola');
    await page.getByLabel('E-mail').fill(account.email);
    await page.getByRole('textbox', { name: 'Password' }).fill(account.password);
    await page.getByLabel('Project name').fill('shop');
    await page.getByRole('combobox', { name: 'Time zone' }).fill('UTC');
    await page.getByRole('option', { name: 'UTC', exact: true }).first().click();
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByText('Waiting for your first event').waitFor();
    const snippet = await page.getByLabel('HTTP curl example').innerText();
    await send(server.url, /Bearer ([^']+)'/.exec(snippet)[1], eightVisitors(Date.now()));
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  afterEach(() => {
    assert.deepEqual(page.complaints.splice(0), [], 'the browser complained');
  });

  it('says on a page for everybody how things are', async () => {
    const visitor = await openPage(browser, server.url);
    await visitor.goto('/status');
    await visitor.getByText('Collection', { exact: true }).waitFor();
    await visitor.getByRole('region', { name: 'Overall status' }).waitFor();
    await shoot(visitor, '30-status');
    assert.deepEqual(await barriers(visitor), []);
    assert.deepEqual(visitor.complaints, []);
    const feed = await fetch(`${server.url}/status/history.rss`);
    assert.match(await feed.text(), /<rss/);
    await visitor.context().close();
  });

  it('shows an operator what is wrong and how the sums stand', async () => {
    await page.goto('/operate');
    await page.getByRole('heading', { name: 'Problems' }).waitFor();
    await page.getByText('They balance.').waitFor();
    await shoot(page, '31-operate');
    assert.deepEqual(await barriers(page), []);
  });

  it('tells what a job would touch before it starts, and what came out', async () => {
    await page.getByRole('link', { name: 'Jobs' }).click();
    await page.getByRole('button', { name: 'New job' }).click();
    await page.getByRole('combobox', { name: 'What' }).click();
    await page.getByRole('option', { name: 'Reprocess' }).click();
    await page.getByLabel('Why').fill('to see that nothing changes');
    await page.getByRole('button', { name: 'Show what it would touch' }).click();
    await page.getByText('records.').waitFor();
    await shoot(page, '32-new-job');
    assert.deepEqual(await barriers(page), []);
    await page.getByRole('button', { name: 'Start' }).click();
    const row = page.getByRole('listitem').filter({ hasText: 'Reprocess' });
    await row.getByText('done', { exact: true }).waitFor({ timeout: 30_000 });
    await row.getByText('changed', { exact: true }).waitFor();
    await shoot(page, '33-jobs');
    assert.deepEqual(await barriers(page), []);
  });

  it('wants the name of a protected environment typed', async () => {
    await page.getByRole('link', { name: 'Settings' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('production');
    await page.getByLabel(/^Protected/).check();
    await page.getByLabel(/to change this$/).fill('development');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('production', { exact: true }).waitFor();
    await shoot(page, '34-settings');
    assert.deepEqual(await barriers(page), []);
    await page.getByRole('link', { name: 'Jobs' }).click();
    await page.getByRole('button', { name: 'New job' }).click();
    await page.getByRole('combobox', { name: 'What' }).click();
    await page.getByRole('option', { name: 'Reprocess' }).click();
    await page.getByLabel('Why').fill('it must not start');
    await page.getByRole('button', { name: 'Show what it would touch' }).click();
    await page.getByLabel('Type “production” to confirm').waitFor();
    assert.ok(await page.getByRole('button', { name: 'Start' }).isDisabled());
  });

  it('answers in the shape that status pages are read in', async () => {
    const answer = await eventually('the summary', 30_000, async () => {
      const body = await (await fetch(`${server.url}/status/api/v2/summary.json`)).json();
      return body.components.length > 3 && body;
    });
    assert.ok(['none', 'minor', 'major', 'critical'].includes(answer.status.indicator));
  });
});
