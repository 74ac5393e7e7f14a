// The same journey for every vendor: 1,000 events (or as many as asked for) of 50 people, one of them anonymous first, with identify,
// alias and group calls where the vendor has them, visits and orders.
export const [url, key] = process.argv.slice(2);
export const user = (i) => `user-${String(i % 50).padStart(4, "0")}`;
export const name = (i) => (i % 2 ? "play" : "search");
export const N = Number(process.env.JOURNEY_EVENTS ?? 1000);
export const ANON = "anon-0003";
export const KNOWN = "user-0003";

// By their ids these are two sessions; by their pauses (30 minutes) they would be three.
const begin = Math.floor(Date.now() / 1000) * 1000 - 3 * 86_400_000;
const minutes = (m) => begin + m * 60_000;
export const VISITS = [0, 60, 120, 125].map((m) => ({ time: new Date(minutes(m)), session: minutes(m < 125 ? 0 : 125) }));
export const ORDERS = [
  { price: 12.5, quantity: 1, revenue: 12.5 },
  { price: 10, quantity: 3, revenue: 30 },
];

export function finish(failures) {
  if (failures.length > 0) {
    console.error("failures:", failures.slice(0, 3));
    process.exit(1);
  }
  process.exit(0);
}
