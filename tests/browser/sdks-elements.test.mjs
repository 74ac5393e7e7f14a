/**
 * Clicks that SDKs capture by themselves become named events afterwards: virtual events over the clicked element,
 * defined once, for every SDK and for all history (`docs/sources/browser.md`).
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openShop, openStage } from './support/shop.mjs';

const CLICKS = ['$autocapture', '[Amplitude] Element Clicked', '$mp_click'];

/** The conditions of the page in the docs, by what they ask. */
const CONDITIONS = {
  text: [{ property: '$el_text', op: 'is', value: 'Buy now' }],
  id: [{ property: '$elements_chain', op: 'regex', value: '^[^;]*attr__id="buy"' }],
  tag: [{ property: '$elements_chain', op: 'regex', value: '^button[.:;]' }],
  class: [{ property: '$elements_chain', op: 'regex', value: '^[^:;]*\\.primary[.:;]' }],
  within: [{ property: '$elements_chain', op: 'contains', value: 'attr__data-area="offer"' }],
  // section[data-area] button.primary
  selector: [{ property: '$elements_chain', op: 'regex', value: '^button[^:;]*\\.primary[.:;].*;section[^;]*attr__data-area=' }],
  nowhere: [{ property: '$elements_chain', op: 'regex', value: '^[^:;]*\\.danger[.:;]' }],
};

describe('clicks that SDKs capture by themselves', () => {
  let stage;

  before(async () => {
    stage = await openStage();
  });
  after(() => stage?.close());

  it('are named afterwards, whichever SDK saw them', async () => {
    const project = await stage.project();
    const posthog = (hop) => `<script type="module">
      import posthog from '/sdk/posthog.js';
      posthog.init('${project.key}', {
        api_host: '${hop.url}', opt_out_useragent_filter: true, capture_pageview: false, capture_pageleave: false,
        rageclick: false, loaded: () => { window.ready = true; },
      });
    </script>`;
    const amplitude = (hop) => `<script src="/sdk/amplitude.js"></script><script>
      amplitude.init('${project.key}', {
        serverUrl: '${hop.url}/2/httpapi', fetchRemoteConfig: false,
        autocapture: { elementInteractions: { viewportContentUpdated: false } },
      }).promise.then(() => { window.ready = true; });
    </script>`;
    const mixpanel = (hop) => `<script type="module">
      import mixpanel from '/sdk/mixpanel.js';
      mixpanel.init('${project.key}', {
        api_host: '${hop.url}',
        autocapture: {
          click: true, capture_text_content: true, capture_extra_attrs: ['data-area'],
          pageview: false, dead_click: false, input: false, rage_click: false, scroll: false, submit: false,
        },
      });
      window.ready = true;
    </script>`;
    const clicks = async () => {
      const counts = await Promise.all(CLICKS.map((name) => project.measure(name)));
      return counts.reduce((sum, count) => sum + count);
    };
    for (const [script, visible] of [[posthog, 3], [amplitude, 6], [mixpanel, 9]]) {
      await openShop(stage, script, async ({ page }) => {
        await page.goto('/');
        await page.waitForFunction(() => window.ready);
        await page.click('#buy');
        await page.click('#later');
        await page.click('#buy');
        await project.settled(visible);
        const end = Date.now() + 30_000;
        while ((await clicks()) < visible && Date.now() < end) await new Promise((done) => setTimeout(done, 200));
      });
    }
    assert.deepEqual(await Promise.all(CLICKS.map((name) => project.measure(name))), [3, 3, 3]);

    const found = {};
    for (const [name, where] of Object.entries(CONDITIONS)) {
      await project.put(`definitions/virtual_event/${name}`, { any: [{ event: CLICKS, where }] });
      found[name] = await project.measure(name);
    }
    assert.deepEqual(found, { text: 6, id: 6, tag: 9, class: 6, within: 9, selector: 6, nowhere: 0 });
  });
});
