/** What every browser SDK has to live through, and what must be there afterwards. */
import assert from 'node:assert/strict';
import { eventually } from './server.mjs';

const LIMIT_MS = 90_000;
const AT_ONCE = 5;
/** How long an SDK may take to notice that it is offline; those that look before they send never try. */
const NOTICE_MS = 4000;

/**
 * Tracks steps while the collector is busy, limits the sender, forgets to answer, is killed and started again, and
 * while the browser is offline. All of them must be there in the end, each of them once.
 *
 * `sdk.track` tracks the event `step` with the property `n` it is given; it runs in the page. `sdk.carries` knows the
 * requests with events. `sdk.drops` names what the SDK gives up at, by its own decision; `sdk.reopen` opens the next page, of
 * an SDK that keeps what was refused over pages; `sdk.also` is how many events there are beside the steps.
 */
export async function liveThrough(stage, { project, hop, context, page }, sdk) {
  let tracked = 0;
  const track = async () => {
    await page.evaluate(`for (let n = ${tracked}; n < ${tracked + AT_ONCE}; n++) (${sdk.track})(n)`);
    tracked += AT_ONCE;
  };
  const met = (what, is) => eventually(what, LIMIT_MS, () => hop.seen.some((s) => sdk.carries(s) && is(s)));

  for (const mode of ['busy', 'strict'].filter((mode) => !sdk.drops?.includes(mode))) {
    hop.mode = mode;
    await track();
    await met(`a request while the collector is ${mode}`, (s) => s.method === 'POST' && s.mode === mode);
    // The page goes while nothing of it has been taken.
    await sdk.reopen?.();
  }

  hop.mode = 'forgetful';
  await track();
  await met('a lost answer', (s) => s.method === 'POST' && s.mode === 'forgetful' && s.status >= 200 && s.status < 300);
  // The collector has these events now, and the browser does not know; nor may the collector forget.
  await stage.server.crash();
  hop.mode = 'through';
  await track();
  // Or the question whether the request may be sent.
  await met('a request to a dead collector', (s) => s.unreachable);
  await stage.server.restart();

  const isOffline = (request) => request.failure()?.errorText === 'net::ERR_INTERNET_DISCONNECTED';
  const tried = page.waitForEvent('requestfailed', { predicate: isOffline, timeout: NOTICE_MS }).catch(() => null);
  await context.setOffline(true);
  await track();
  await tried;
  await context.setOffline(false);

  const expected = tracked + (sdk.also ?? 0);
  await project.settled(expected, LIMIT_MS);
  // The copies of what was taken without an answer may come later.
  await eventually('what came twice', LIMIT_MS, async () => (await project.get('ledger')).identity.duplicate > 0);
  const identity = await project.settled(expected);
  assert.equal(identity.visible, expected);
  const events = (await project.events()).filter(({ event }) => event === 'step');
  const steps = events.map((event) => event.properties.n).sort((a, b) => a - b);
  assert.deepEqual(steps, Array.from({ length: tracked }, (_, n) => n));
}
