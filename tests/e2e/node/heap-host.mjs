// Heap's client has its host built in: requests are turned round on their way out, the client itself is untouched.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

export function heapClient(key, address) {
  const path = require.resolve("request", { paths: [require.resolve("heap-api")] });
  const request = require(path);
  require.cache[path].exports = (options, callback) =>
    request({ ...options, url: options.url.replace("https://heapanalytics.com", address) }, callback);
  return require("heap-api")(key);
}
