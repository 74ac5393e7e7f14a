import Analytics from "@rudderstack/rudder-sdk-node";
import { ANON, finish, KNOWN, key, N, name, url, user } from "./journey.mjs";

const failures = [];
const client = new Analytics(key, { dataPlaneUrl: url, flushAt: 100, flushInterval: 200, errorHandler: (error) => failures.push(String(error)) });
client.track({ anonymousId: ANON, event: "landing" });
for (let i = 0; i < N; i++) {
  client.track({ userId: user(i), event: name(i), properties: { i } });
}
client.identify({ userId: KNOWN, anonymousId: ANON, traits: { plan: "pro" } });
await client.flush();
finish(failures);
