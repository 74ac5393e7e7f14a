// Heap's client knows `track` and `addUserProperties`; the other calls of its server API are made by hand.
import { heapClient } from "./heap-host.mjs";
import { ANON, finish, key, KNOWN, N, name, ORDERS, url, user, VISITS } from "./journey.mjs";

const heap = heapClient(key, url);
const failures = [];
const run = (call) => call.catch((error) => failures.push(String(error)));
const post = (where, body) =>
  run(
    fetch(`${url}${where}`, { method: "POST", body: JSON.stringify({ app_id: key, ...body }) }).then((answer) => {
      if (!answer.ok) throw new Error(`${where} ${answer.status}`);
    }),
  );

await post("/api/track", { user_id: ANON, event: "landing" });
for (let i = 0; i < N; i += 20) {
  const calls = Array.from({ length: 20 }, (_, j) => run(heap.track(name(i + j), user(i + j), { i: i + j })));
  await Promise.all(calls);
}
for (const _ of VISITS) {
  await run(heap.track("visit", KNOWN));
}
for (const { revenue } of ORDERS) {
  await run(heap.track("order", KNOWN, { revenue }));
}
await run(heap.addUserProperties(KNOWN, { plan: "pro" }));
await post("/api/v1/identify", { identity: KNOWN, user_id: ANON });
finish(failures);
