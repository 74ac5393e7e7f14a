import { PostHog } from "posthog-node";
import { ANON, finish, KNOWN, key, N, name, ORDERS, url, user, VISITS } from "./journey.mjs";

const failures = [];
const client = new PostHog(key, { host: url, flushAt: 100, flushInterval: 200 });
client.on("error", (error) => failures.push(String(error)));
client.capture({ distinctId: ANON, event: "landing", properties: { $device_id: ANON, $is_identified: false } });
for (let i = 0; i < N; i++) {
  client.capture({ distinctId: user(i), event: name(i), properties: { i } });
}
client.identify({ distinctId: KNOWN, properties: { plan: "pro" } });
client.capture({ distinctId: KNOWN, event: "$identify", properties: { $anon_distinct_id: ANON, $set: { plan: "pro" } } });
client.alias({ distinctId: "user-0009", alias: "old-nine" });
client.groupIdentify({ groupType: "company", groupKey: "acme", properties: { seats: 12 } });
for (const { time, session } of VISITS) {
  client.capture({ distinctId: KNOWN, event: "visit", timestamp: time, properties: { $session_id: String(session) } });
}
for (const { revenue } of ORDERS) {
  client.capture({ distinctId: KNOWN, event: "order", properties: { revenue } });
}
await client.shutdown();
finish(failures);
