// Mixpanel: single events go as GET, batches as POST forms, person and group changes as GET.
import Mixpanel from "mixpanel";
import { ANON, finish, key, KNOWN, N, name, ORDERS, url, user, VISITS } from "./journey.mjs";

const { hostname, port, protocol } = new URL(url);
const failures = [];
const mixpanel = Mixpanel.init(key, { host: hostname, port, protocol: protocol.slice(0, -1), key: "not-the-token" });
const done = (call) => new Promise((resolve) => call((error) => resolve(error && failures.push(String(error)))));

await done((cb) => mixpanel.track("landing", { distinct_id: `$device:${ANON}`, $device_id: ANON }, cb));
const events = Array.from({ length: N }, (_, i) => ({
  event: name(i),
  properties: { distinct_id: user(i), i, time: new Date(), $insert_id: `insert-${i}` },
}));
await new Promise((resolve) =>
  mixpanel.track_batch(events, { max_concurrent_requests: 4 }, (errors) => {
    failures.push(...(errors ?? []).filter(Boolean).map(String));
    resolve();
  }),
);
await done((cb) => mixpanel.track("$identify", { $identified_id: KNOWN, $anon_id: ANON }, cb));
for (const { time } of VISITS) {
  await done((cb) => mixpanel.track("visit", { distinct_id: KNOWN, time }, cb));
}
for (const { revenue } of ORDERS) {
  await done((cb) => mixpanel.track("order", { distinct_id: KNOWN, $amount: revenue }, cb));
}
await done((cb) => mixpanel.people.set(KNOWN, { plan: "pro", name: "naïve ☃ +/=" }, cb));
await done((cb) => mixpanel.people.set_once(KNOWN, "plan", "free", cb));
await done((cb) => mixpanel.people.increment(KNOWN, "plays", 5, cb));
await done((cb) => mixpanel.people.increment(KNOWN, { plays: -2, stops: 1 }, cb));
await done((cb) => mixpanel.people.append(KNOWN, "tags", ["a", "b"], cb));
await done((cb) => mixpanel.people.union(KNOWN, { genres: ["jazz", "folk", "jazz"] }, cb));
await done((cb) => mixpanel.people.remove(KNOWN, { genres: "folk" }, cb));
await done((cb) => mixpanel.people.unset(KNOWN, "stops", cb));
await done((cb) => mixpanel.people.track_charge(KNOWN, 29.5, {}, cb));
await done((cb) => mixpanel.groups.set("company", "acme", { seats: 12, city: "Bern" }, cb));
await done((cb) => mixpanel.groups.unset("company", "acme", "city", cb));
await done((cb) => mixpanel.alias("user-0009", "old-nine", cb));
await done((cb) => mixpanel.import("imported", new Date("2020-02-03T04:05:06Z"), { distinct_id: KNOWN, $insert_id: "old-1" }, cb));
const imports = Array.from({ length: 120 }, (_, i) => ({
  event: "imported",
  properties: { distinct_id: user(i), time: new Date("2020-02-03T04:05:06Z"), $insert_id: `old-${i + 2}` },
}));
await new Promise((resolve) =>
  mixpanel.import_batch(imports, (errors) => {
    failures.push(...(errors ?? []).filter(Boolean).map(String));
    resolve();
  }),
);
finish(failures);
