import { Analytics } from "@segment/analytics-node";
import { ANON, finish, KNOWN, key, N, name, ORDERS, url, user, VISITS } from "./journey.mjs";

const failures = [];
const client = new Analytics({ writeKey: key, host: url, maxEventsInBatch: 100, flushInterval: 200 });
client.on("error", (error) => failures.push(String(error.reason ?? error)));
client.track({ anonymousId: ANON, event: "landing" });
client.identify({ userId: KNOWN, anonymousId: ANON, traits: { plan: "pro" } });
for (let i = 0; i < N; i++) {
  client.track({ userId: user(i), event: name(i), properties: { i } });
}
client.group({ userId: KNOWN, groupId: "acme", traits: { seats: 12 } });
client.alias({ userId: "user-0009", previousId: "old-nine" });
client.page({ userId: KNOWN, name: "intro", properties: { path: "/intro" } });
for (const { time, session } of VISITS) {
  client.track({ userId: KNOWN, event: "visit", timestamp: time, context: { sessionId: session } });
}
for (const { revenue } of ORDERS) {
  client.track({ userId: KNOWN, event: "order", properties: { revenue } });
}
await client.closeAndFlush();
finish(failures);
