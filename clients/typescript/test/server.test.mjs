/** Against a server: its address and keys are in the environment (tests/e2e/test_typescript_client.py starts one). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTallymark } from '@tallymark/client';

const setting = (name) => process.env[name] ?? assert.fail(`${name} is not set: run tests/e2e/test_typescript_client.py`);
const url = setting('TALLYMARK_URL');
const door = setting('TALLYMARK_DOOR');
const write = createTallymark({ url, key: setting('TALLYMARK_WRITE_KEY') });
const shop = createTallymark({ url, key: setting('TALLYMARK_SECRET_KEY') });
const admin = createTallymark({ url, key: setting('TALLYMARK_ADMIN_KEY') });
const of = { params: { path: { project: 'shop' } } };
const total = async (event) => {
  const range = { from: '2000-01-01', to: '2035-01-01' };
  const answer = await shop.query('shop', {
    type: 'segmentation', range, interval: 'none', series: [{ event, measure: 'totals' }],
  });
  assert.ok(answer.complete_through);
  return answer.series[0].total;
};

test('events, with what is refused', async () => {
  const events = Array.from({ length: 500 }, (_, i) => ({
    event: i % 2 ? 'play' : 'search', user_id: `user-${i % 50}`, device_id: `device-${i % 50}`, properties: { i },
    user_properties: { $add: { seen: 1 } }, groups: { company: 'acme' },
  }));
  const sent = await write.send([...events, { event: '$alias', user_id: 'u' }], { wait: 'visible' });
  assert.equal(sent.accepted, 500);
  assert.equal(sent.visible, true);
  assert.deepEqual(sent.rejected.map(({ index, code }) => [index, code]), [[500, 'missing_field']]);
  assert.equal(await total('play'), 250);
  const { data: receipt } = await shop.GET('/api/v1/receipts/{receipt}', { params: { path: { receipt: sent.receipt } } });
  assert.equal(receipt.outcomes.visible, 500);
  const { data: person } = await shop.GET('/api/v1/projects/{project}/persons/{person}', {
    params: { path: { project: 'shop', person: 'user-7' } },
  });
  assert.deepEqual([person.device_ids, person.properties.seen], [['device-7'], 10]);
});

test('through a door that fails, each event is there once', async () => {
  const through = createTallymark({ url: door, key: setting('TALLYMARK_WRITE_KEY') });
  const sleep = (ms) => new Promise((done) => setTimeout(done, Math.min(ms, 50)));
  for (let i = 0; i < 8; i++) {
    const events = Array.from({ length: 10 }, (_, k) => ({ event: 'step', user_id: 'u', properties: { i: i * 10 + k } }));
    assert.equal((await through.send(events, { attempts: 8, sleep })).accepted, 10);
  }
  await write.send([{ event: 'last', user_id: 'u' }], { wait: 'visible' });
  assert.equal(await total('step'), 80);
});

test('paths, parameters and answers are those of the description', async () => {
  const { data: schema } = await shop.GET('/api/v1/projects/{project}/schema', of);
  assert.ok(schema.events.some((event) => event.name === 'play' && event.count === 250));
  const { data: page } = await shop.GET('/api/v1/projects/{project}/events', {
    params: { ...of.params, query: { limit: 3, event: JSON.stringify(['play', 'search']) } },
  });
  assert.equal(page.events.length, 3);
  assert.ok(page.next);
  const { data: ledger } = await shop.GET('/api/v1/projects/{project}/ledger', of);
  assert.equal(ledger.identity.balanced, true);
  const { data: explained } = await shop.POST('/api/v1/projects/{project}/query/explain', { ...of, body: { type: 'realtime' } });
  assert.ok(explained.text);

  const { data: rule } = await shop.POST('/api/v1/projects/{project}/rules', {
    ...of, body: { name: 'none', action: { type: 'block', users: ['nobody'], devices: [] } },
  });
  assert.equal(rule.version, 1);
  const { data: made } = await admin.POST('/api/v1/projects', { body: { name: 'second', timezone: 'Europe/Berlin' } });
  const { data: all } = await admin.GET('/api/v1/projects');
  assert.deepEqual(all.projects.map((project) => project.name).sort(), ['second', 'shop']);
  const second = createTallymark({ url, key: made.secret_key });
  await assert.rejects(second.GET('/api/v1/projects/{project}/schema', of), { status: 404, code: 'TM0204' });
  await assert.rejects(shop.query('shop', { type: 'segmentation' }), { code: 'TM0301', message: /range/, hint: /./ });
  await assert.rejects(shop.GET('/api/v1/operations/jobs'), { code: 'TM0203' });
});
