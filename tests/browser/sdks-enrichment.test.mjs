/** What events leave out and the server fills in: browser, campaign, referrer, place (`docs/sources/browser.md`). */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { database } from './support/places.mjs';
import { openShop, openStage } from './support/shop.mjs';
import { CHROME } from './support/site.mjs';

const OF_CHROME = {
  $browser: 'Chrome',
  $browser_version: 141,
  $os: 'Windows',
  $os_version: '10',
  $device_type: 'Desktop',
};

describe('what events leave out', () => {
  let stage;
  let folder;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tallymark-places-'));
    const path = join(folder, 'places.mmdb');
    await writeFile(path, database(127, 'DE', 'Berlin'));
    stage = await openStage({ TALLYMARK_GEOIP_DATABASE: path });
  });
  after(async () => {
    await stage?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const filled = (event, names) => Object.fromEntries(names.map((name) => [name, event.properties[name]]));

  it('is filled in for a page that analytics-next measures', async () => {
    const project = await stage.project();
    const script = (hop) => `<script src="/sdk/segment.js"></script><script>
      window.analytics = AnalyticsNext.AnalyticsBrowser.load({ writeKey: '${project.key}', cdnURL: '${hop.url}' });
      analytics.page();
    </script>`;
    await openShop(stage, script, async ({ page }) => {
      await page.goto('/?utm_source=news&utm_medium=mail&utm_campaign=may', { referer: 'https://www.search.example/q' });
      await project.settled(1);
      const [event] = await project.events();
      assert.equal(event.event, 'Page Viewed');
      const expected = {
        ...OF_CHROME,
        utm_source: 'news',
        utm_medium: 'mail',
        utm_campaign: 'may',
        $referring_domain: 'www.search.example',
        $geoip_country_code: 'DE',
        $geoip_city_name: 'Berlin',
      };
      assert.deepEqual(filled(event, Object.keys(expected)), expected);
      const breakdown = { property: '$geoip_country_code' };
      assert.equal(await project.measure('Page Viewed', 'distinct', breakdown), 1);
    });
  });

  it('is never what the sender said otherwise, nor the place of a server', async () => {
    const project = await stage.project();
    const send = async (userAgent, properties) => {
      const events = [{ event: 'seen', user_id: 'u', properties }];
      const answer = await fetch(`${stage.server.url}/api/v1/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${project.key}`, 'content-type': 'application/json', 'user-agent': userAgent },
        body: JSON.stringify({ events }),
      });
      assert.equal((await answer.json()).accepted, 1);
    };
    await send('my-backend/1.0', { n: 1 });
    await send(CHROME, { n: 2, $browser: 'Mine', $geoip_country_code: 'FR', utm_medium: 'own', url: 'https://a.test/?utm_source=x' });
    await send('Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', { n: 3 });
    await project.settled(3);
    const events = (await project.events()).sort((a, b) => a.properties.n - b.properties.n);
    assert.deepEqual(events[0].properties, { n: 1 });
    assert.deepEqual(events[1].properties, {
      ...OF_CHROME,
      n: 2,
      $browser: 'Mine',
      $geoip_country_code: 'FR',
      utm_medium: 'own',
      url: 'https://a.test/?utm_source=x',
    });
    assert.deepEqual(events[2].properties, { n: 3, $browser_type: 'bot' });
  });
});
