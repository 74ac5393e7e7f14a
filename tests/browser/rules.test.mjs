/**
 * The books of one project in a real browser: a rule is tried, put in force, explained and applied to the past; a
 * range is skipped and replayed; a dead letter is mended; a person is erased and comes back. Numbers on screen are
 * compared with events that the test itself has sent. Pictures of every station are written to tests/artifacts.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { barriers, openBrowser, openPage, shoot } from './support/browser.mjs';
import { eightVisitors } from './support/product.mjs';
import { freeze } from './support/roles.mjs';
import { eventually, send, startServer } from './support/server.mjs';

const SETTLED_MS = 30_000;
const shop = '/api/v1/projects/shop';

describe('the books of a project', () => {
  let server;
  let browser;
  let page;
  let key;
  let csrf;

  const get = async (path) => (await page.request.get(path)).json();
  const post = async (path, data) => {
    const answer = await page.request.post(path, { data, headers: { 'x-csrf-token': csrf } });
    assert.ok(answer.ok(), `${path}: ${answer.status()} ${await answer.text()}`);
    return answer.json();
  };
  const identity = (what, test) =>
    eventually(what, SETTLED_MS, async () => test((await get(`${shop}/ledger`)).identity));
  const spoken = () => page.getByRole('math').getAttribute('aria-label');

  before(async () => {
    server = await startServer();
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
    csrf = (await get('/api/v1/session')).csrf;
    await send(server.url, key, eightVisitors(Date.now()));
    await identity('17 events', (i) => i.visible === 17);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  afterEach(() => {
    assert.deepEqual(page.complaints.splice(0), [], 'the browser complained');
  });

  it('tries a rule on what has arrived before it is put in force', async () => {
    await page.goto('/p/shop');
    await page.getByRole('link', { name: 'Rules', exact: true }).click();
    await page.getByText('No rules: everything that arrives is counted').waitFor();
    assert.deepEqual(await barriers(page), []);
    await page.getByRole('button', { name: 'New rule' }).click();
    await page.getByRole('combobox', { name: 'Events' }).fill('Page Viewed');
    await page.keyboard.press('Enter');
    // The list of names stays open for the next one, and is left like any field.
    await page.keyboard.press('Tab');
    await page.getByRole('button', { name: /^Rule: add condition/ }).click();
    await page.getByRole('option', { name: /^platform/ }).first().click();
    await page.getByRole('combobox', { name: 'Rule, condition 1: value' }).fill('ios');
    await page.keyboard.press('Enter');
    await page.getByText('Drops Page Viewed where platform is ios.').waitFor();
    await page.getByRole('button', { name: 'Try it first' }).click();
    await page.getByText('4 of the 17 events received in the last 24 hours would be dropped (23.5 %).').waitFor();
    const row = page.getByRole('table', { name: 'What would be dropped' }).getByRole('row', { name: /^Page Viewed/ });
    assert.deepEqual(await row.getByRole('cell').allInnerTexts(), ['4', '8', '50.0 %']);
    await page.getByText('Examples of what would be dropped').click();
    await shoot(page, '40-rule-tried');
    assert.deepEqual(await barriers(page), []);
    // Trying changes nothing.
    assert.deepEqual((await get(`${shop}/rules`)).rules, []);
  });

  it('puts it in force, and says since when and where', async () => {
    await page.getByLabel('Name', { exact: false }).last().fill('No iOS page views');
    await page.getByLabel('Why').fill('counted twice by the wrapper');
    await page.getByRole('button', { name: 'Put it in force' }).click();
    const rule = page.getByRole('listitem', { name: 'No iOS page views' });
    await rule.getByText('In force', { exact: true }).waitFor({ timeout: SETTLED_MS });
    await rule.getByText(/^Since .* Version 1, by ana@example\.com: counted twice by the wrapper$/).waitFor();
    await rule.getByRole('button', { name: 'Versions and positions' }).click();
    const places = rule.getByRole('table', { name: 'Where No iOS page views is in force' });
    await places.getByRole('row', { name: /^live 0/ }).waitFor();
    await shoot(page, '41-rules');
    assert.deepEqual(await barriers(page), []);
  });

  it('says of an event which rule dropped it', async () => {
    const late = (n, platform) => ({
      event: 'Page Viewed',
      user_id: 'late',
      insert_id: `late-${n}`,
      properties: { platform },
    });
    await send(server.url, key, [late(1, 'ios'), late(2, 'web')]);
    await identity('one more filtered', (i) => i.filtered === 1 && i.visible === 18);
    await page.getByRole('link', { name: 'Ledger', exact: true }).click();
    await page.getByLabel('Insert id or position').fill('late-1');
    await page.getByRole('button', { name: 'Look it up' }).click();
    await page.getByText('A rule of this project dropped it').waitFor();
    await page.getByText(/version 1 by ana@example\.com.*because: counted twice by the wrapper.*since position live\//).waitFor();
    await shoot(page, '42-lookup');
    assert.deepEqual(await barriers(page), []);
    await page.getByLabel('Insert id or position').fill('late-2');
    await page.keyboard.press('Enter');
    await page.getByText('It is stored, and every chart that asks for it counts it.').waitFor();
    page.allowed = [/404 GET .*\/outcomes/];
    await page.getByLabel('Insert id or position').fill('never-sent');
    await page.keyboard.press('Enter');
    await page.getByText('No record “never-sent” is known in this project.').waitFor();
    page.allowed = [];
  });

  it('applies it to the past after showing the numbers', async () => {
    await page.getByRole('link', { name: 'Rules', exact: true }).click();
    const rule = page.getByRole('listitem', { name: 'No iOS page views' });
    await rule.getByRole('button', { name: 'Apply to the past' }).click();
    await rule.getByRole('button', { name: 'See what would change' }).click();
    await rule.getByText(/stored events looked at: 4 would change\.$/).waitFor({ timeout: SETTLED_MS });
    await identity('nothing to have changed', (i) => i.filtered === 1);
    await shoot(page, '43-apply-to-the-past');
    assert.deepEqual(await barriers(page), []);
    await rule.getByRole('button', { name: 'Apply to 4 events' }).click();
    await rule.getByText(/looked at: 4 changed\.$/).waitFor({ timeout: SETTLED_MS });
    await page.getByRole('link', { name: 'Ledger', exact: true }).click();
    await page.getByRole('heading', { name: 'Rules were applied to the past' }).waitFor();
    await page.getByText('−4 visible').waitFor();
    await page.getByText('+4 filtered').waitFor();
    await eventually('the equation', SETTLED_MS, async () =>
      /^19 acknowledged equals 14 visible plus 0 duplicate plus 5 filtered/.test((await spoken()) ?? ''),
    );
  });

  it('switches it off, as a version of its own', async () => {
    await page.getByRole('link', { name: 'Rules', exact: true }).click();
    const rule = page.getByRole('listitem', { name: 'No iOS page views' });
    await rule.getByRole('button', { name: 'Switch off' }).click();
    await rule.getByText('Switched off', { exact: true }).waitFor({ timeout: SETTLED_MS });
    await rule.getByRole('button', { name: 'Versions and positions' }).click();
    const versions = rule.getByRole('table', { name: 'Versions of No iOS page views' });
    await versions.getByRole('rowheader', { name: '2' }).waitFor();
    assert.deepEqual(await versions.getByRole('rowheader').allInnerTexts(), ['2', '1']);
  });

  it('shows what was skipped, shades it on charts, and replays it', async () => {
    const thaw = await freeze(server.url, 'process');
    try {
      await send(
        server.url,
        key,
        Array.from({ length: 5 }, (_, n) => ({ event: 'Delayed', user_id: 'late', insert_id: `delayed-${n}` })),
      );
      const { lanes } = await get(`${shop}/ledger`);
      const ranges = lanes
        .filter((l) => l.pending > 0)
        .map(({ lane, partition, cursor, end }) => ({ lane, partition, from: cursor, to: end }));
      await post('/api/v1/operations/jobs', { kind: 'skip', reason: 'poison', spec: { ranges } });
    } finally {
      thaw();
    }
    await eventually('the skip', SETTLED_MS, async () => (await get(`${shop}/ledger`)).skipped.length > 0);
    const trend = encodeURIComponent(JSON.stringify([{ event: 'Page Viewed' }]));
    await page.goto(`/p/shop/charts/segmentation?series=${trend}&range=7d`);
    await page.getByText(/Not everything is counted: 5 records .* were passed by on purpose/).waitFor();
    await page.getByTestId('missing').waitFor();
    await shoot(page, '44-chart-with-a-gap');
    assert.deepEqual(await barriers(page), []);
    await page.getByRole('link', { name: 'See the ledger' }).click();
    const skipped = page.getByRole('region', { name: 'Skipped on purpose' });
    await skipped.getByText('poison').first().waitFor();
    await page.getByTestId('ledger-verdict').getByText('Balanced, with skips').waitFor();
    await shoot(page, '45-skipped');
    assert.deepEqual(await barriers(page), []);
    await skipped.getByRole('button', { name: /^Replay/ }).first().click();
    await skipped.getByText('Replayed: 5 records found their place.').waitFor({ timeout: SETTLED_MS });
    await page.getByRole('heading', { name: /^Replay: records that had been skipped/ }).waitFor();
    await identity('the replayed events', (i) => i.visible === 19 && i.pending === 0);
  });

  it('mends a dead letter and tries it again', async () => {
    const stray = { event: 'Stray', user_id: 'late', insert_id: 'stray-1', properties: { price: 3 } };
    await send(server.url, 'wk_mistyped_0123456789', [stray]);
    await eventually('the letter', SETTLED_MS, async () => (await get('/api/v1/operations/dead-letters')).dead.length === 1);
    await page.reload();
    const letters = page.getByRole('region', { name: 'Letters without an owner' });
    await letters.getByRole('button', { name: /unknown_project/ }).click();
    const bytes = letters.getByLabel('The record as it was received, to be mended');
    await bytes.fill('{"event": ');
    await letters.getByText(/^This is no JSON/).waitFor();
    assert.ok(await letters.getByRole('button', { name: 'Only check' }).isDisabled());
    await bytes.fill(JSON.stringify({ ...stray, event: 7 }));
    await letters.getByRole('button', { name: 'Only check' }).click();
    await letters.getByText(/^It would still be a dead letter/).waitFor();
    await bytes.fill(JSON.stringify({ ...stray, event: 'Mended' }));
    await letters.getByRole('button', { name: 'Only check' }).click();
    await letters.getByText('It can be understood now: an event named “Mended”.').waitFor();
    await shoot(page, '46-dead-letter');
    assert.deepEqual(await barriers(page), []);
    await letters.getByRole('button', { name: 'Try again as an event of shop' }).click();
    await letters.getByText('“Mended” was understood and is now an event of this project').waitFor({ timeout: SETTLED_MS });
    await identity('the mended event', (i) => i.visible === 20);
    await page.getByRole('heading', { name: 'Dead letters were mended and tried again' }).waitFor();
  });

  it('exports a person, erases them behind a typed name, and takes that back', async () => {
    await page.goto('/p/shop/persons/visitor-1');
    await page.getByRole('heading', { name: 'visitor-1@example.com' }).waitFor();
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Export everything' }).click();
    const lines = (await readText(await download)).trim().split('\n').map((l) => JSON.parse(l));
    assert.deepEqual([lines[0].type, lines.at(-1)], ['person', { type: 'end', events: 2 }]);

    await page.getByRole('button', { name: 'Erase this person' }).click();
    const dialog = page.getByRole('dialog', { name: 'Erase visitor-1@example.com' });
    await dialog.getByLabel('Why').fill('asked for it');
    await dialog.getByLabel(/^Type/).fill('visitor-1');
    assert.ok(await dialog.getByRole('button', { name: 'Erase', exact: true }).isDisabled());
    await dialog.getByLabel(/^Type/).fill('visitor-1@example.com');
    await shoot(page, '47-erase');
    assert.deepEqual(await barriers(page), []);
    await dialog.getByRole('button', { name: 'Erase', exact: true }).click();
    const erased = page.getByRole('region', { name: 'Erased people' });
    await erased.getByText('Hidden everywhere; can be taken back').waitFor({ timeout: SETTLED_MS });
    const person = page.getByRole('link', { name: 'visitor-1@example.com' });
    await person.waitFor({ state: 'detached' });
    await shoot(page, '48-erased');
    assert.deepEqual(await barriers(page), []);
    await erased.getByRole('button', { name: /^Take back/ }).click();
    await erased.getByRole('cell', { name: 'Taken back' }).waitFor({ timeout: SETTLED_MS });
    await person.waitFor();
  });
});

async function readText(download) {
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
