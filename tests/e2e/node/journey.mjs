// The same journey for every vendor: 1,000 events of 50 people, one of them anonymous first, with identify,
// alias and group calls where the vendor has them.
export const [url, key] = process.argv.slice(2);
export const user = (i) => `user-${String(i % 50).padStart(4, "0")}`;
export const name = (i) => (i % 2 ? "play" : "search");
export const N = 1000;
export const ANON = "anon-0003";
export const KNOWN = "user-0003";

export function finish(failures) {
  if (failures.length > 0) {
    console.error("failures:", failures.slice(0, 3));
    process.exit(1);
  }
  process.exit(0);
}
