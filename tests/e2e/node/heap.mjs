// Heap's client has its host built in: requests are turned round on their way out, the client itself is untouched.
import { createRequire } from "node:module";
import { ANON, finish, key, KNOWN, N, name, url, user } from "./journey.mjs";

const require = createRequire(import.meta.url);
const path = require.resolve("request", { paths: [require.resolve("heap-api")] });
const request = require(path);
require.cache[path].exports = (options, callback) =>
  request({ ...options, url: options.url.replace("https://heapanalytics.com", url) }, callback);
const heap = require("heap-api")(key);

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
await run(heap.addUserProperties(KNOWN, { plan: "pro" }));
await post("/api/v1/identify", { identity: KNOWN, user_id: ANON });
finish(failures);
