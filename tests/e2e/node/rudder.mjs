import Analytics from "@rudderstack/rudder-sdk-node";
import { ANON, finish, KNOWN, key, N, name, ORDERS, url, user, VISITS } from "./journey.mjs";

const failures = [];
const client = new Analytics(key, { dataPlaneUrl: url, flushAt: 100, flushInterval: 200, errorHandler: (error) => failures.push(String(error)) });
client.track({ anonymousId: ANON, event: "landing" });
for (let i = 0; i < N; i++) {
  client.track({ userId: user(i), event: name(i), properties: { i } });
}
for (const { time, session } of VISITS) {
  client.track({ userId: KNOWN, event: "visit", originalTimestamp: time, context: { sessionId: session } });
}
for (const { revenue } of ORDERS) {
  client.track({ userId: KNOWN, event: "order", properties: { revenue } });
}
client.group({ userId: KNOWN, groupId: "acme", traits: { seats: 12 } });
client.alias({ userId: "user-0009", previousId: "old-nine" });
client.page({ userId: KNOWN, name: "intro", properties: { path: "/intro" } });
client.identify({ userId: KNOWN, anonymousId: ANON, traits: { plan: "pro" } });
// Its `flush` sends one batch and leaves the rest to its timer.
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
for (let waited = 0; client.queue.length > 0 && waited < 600; waited++) {
  await pause(100);
}
await pause(2000);
finish(failures);
