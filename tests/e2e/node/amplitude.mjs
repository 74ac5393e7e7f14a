import { createInstance, Identify, Revenue } from "@amplitude/analytics-node";
import { ANON, finish, KNOWN, key, N, name, ORDERS, url, user, VISITS } from "./journey.mjs";

const client = createInstance();
await client.init(key, { serverUrl: `${url}/2/httpapi`, flushQueueSize: 100, flushIntervalMillis: 200 }).promise;
const results = [client.track("landing", { page: "/" }, { device_id: ANON }).promise];
await client.flush().promise;
results.push(client.identify(new Identify().set("plan", "pro"), { user_id: KNOWN, device_id: ANON }).promise);
for (let i = 0; i < N; i++) {
  results.push(client.track(name(i), { i }, { user_id: user(i) }).promise);
}
results.push(client.setGroup("company", "acme", { user_id: KNOWN, device_id: ANON }).promise);
for (const { time, session } of VISITS) {
  results.push(client.track("visit", {}, { user_id: KNOWN, time: time.getTime(), session_id: session }).promise);
}
for (const { price, quantity } of ORDERS) {
  results.push(client.revenue(new Revenue().setPrice(price).setQuantity(quantity), { user_id: KNOWN }).promise);
}
await client.flush().promise;
const codes = (await Promise.all(results)).map((r) => r.code);
finish(codes.filter((code) => code !== 200));
