// Sends what it is told through one vendor's Node SDK, and says what the SDK reported: `deliver.mjs VENDOR ADDRESS KEY`.
//
// Each line of standard input is a list of ids to send, and is answered when the SDK's calls have returned; its end is the
// end of the program. An event's id is its property `id` and its insert id.
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";

const [vendor, address, key] = process.argv.slice(2);
const reported = new Set();
const sent = [];
const user = (id) => `user-${id[0]}`;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function report(what, ids) {
  const news = ids.filter((id) => !reported.has(id));
  news.forEach((id) => reported.add(id));
  if (news.length > 0) writeSync(1, `report ${what} ${news.join(" ")}\n`);
}
const delivered = (ids) => report("delivered", ids);
const failed = (ids) => report("failed", ids);
const outcome = (ids) => (error) => (error ? failed(ids) : delivered(ids));

async function everythingReported(seconds) {
  for (let i = 0; i < seconds * 20 && reported.size < sent.length; i++) await pause(50);
}

const vendors = {
  async amplitude() {
    const { createInstance } = await import("@amplitude/analytics-node");
    const client = createInstance();
    await client.init(key, { serverUrl: `${address}/2/httpapi`, flushQueueSize: 10, flushIntervalMillis: 100 }).promise;
    return {
      send(ids) {
        for (const id of ids) {
          const call = client.track("beat", { id }, { user_id: user(id), device_id: `device-${id[0]}`, insert_id: id });
          call.promise.then((result) => outcome([id])(result.code !== 200));
        }
      },
      // Its explicit `flush` drops what is not taken at once; its own timer tries again.
      close: () => everythingReported(60),
    };
  },

  async posthog() {
    const { PostHog } = await import("posthog-node");
    const client = new PostHog(key, { host: address, flushAt: 10, flushInterval: 100, fetchRetryCount: 10, fetchRetryDelay: 300 });
    // What it says about an error does not name the events: only what it says it has flushed is believed delivered.
    client.on("flush", (messages) => delivered(messages.map((message) => message.uuid)));
    client.on("error", (error) => console.error(String(error)));
    return {
      send(ids) {
        for (const id of ids) client.capture({ distinctId: user(id), event: "beat", properties: { id }, uuid: id });
      },
      close: () => client.shutdown(60000),
    };
  },

  "posthog-v1"() {
    process.env.POSTHOG_CAPTURE_MODE = "v1";
    return vendors.posthog();
  },

  async segment() {
    const { Analytics } = await import("@segment/analytics-node");
    const client = new Analytics({ writeKey: key, host: address, maxEventsInBatch: 10, flushInterval: 100, maxRetries: 10 });
    client.on("error", (error) => console.error(String(error.reason ?? error)));
    return {
      send(ids) {
        for (const id of ids) client.track({ userId: user(id), event: "beat", properties: { id }, messageId: id }, outcome([id]));
      },
      close: () => client.closeAndFlush({ timeout: 60000 }),
    };
  },

  async rudder() {
    const { default: Analytics } = await import("@rudderstack/rudder-sdk-node");
    const errorHandler = (error) => console.error(String(error));
    const client = new Analytics(key, { dataPlaneUrl: address, flushAt: 10, flushInterval: 100, retryCount: 10, logLevel: "none", errorHandler });
    return {
      send(ids) {
        for (const id of ids) client.track({ userId: user(id), event: "beat", properties: { id }, messageId: id }, outcome([id]));
      },
      // Its `flush` sends one batch and leaves the rest to its timer.
      close: () => everythingReported(60),
    };
  },

  async mixpanel() {
    const { default: Mixpanel } = await import("mixpanel");
    const { hostname, port } = new URL(address);
    const client = Mixpanel.init(key, { host: hostname, port, protocol: "http" });
    const done = (ids, call) => new Promise((resolve) => call((error) => resolve(outcome(ids)(error))));
    return {
      async send(ids) {
        const events = ids.map((id) => ({ event: "beat", properties: { id, distinct_id: user(id), $insert_id: id, time: new Date() } }));
        const [first, ...rest] = events;
        await done([ids[0]], (cb) => client.track(first.event, first.properties, cb));
        for (let i = 0; i < rest.length; i += 5) {
          const batch = rest.slice(i, i + 5);
          const told = (cb) => client.track_batch(batch, (errors) => cb(errors?.some(Boolean)));
          await done(batch.map((event) => event.properties.id), told);
        }
      },
      close() {},
    };
  },

  async heap() {
    const { heapClient } = await import("./heap-host.mjs");
    const heap = heapClient(key, address);
    return {
      async send(ids) {
        for (const id of ids) await heap.track("beat", user(id), { id }).then(() => delivered([id]), () => failed([id]));
      },
      close() {},
    };
  },
};

const { send, close } = await vendors[vendor]();
for await (const line of createInterface({ input: process.stdin })) {
  const ids = line.split(" ").filter(Boolean);
  sent.push(...ids);
  await send(ids);
  writeSync(1, "report taken\n");
}
await close();
process.exit(0);
