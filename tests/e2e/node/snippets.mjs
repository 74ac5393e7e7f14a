// Prints what the app's page "Sources" shows for a key and a host, as JSON: `node snippets.mjs KEY HOST`.
import { build } from "../../../web/node_modules/vite/dist/node/index.js";

const root = new URL("../../../web/", import.meta.url).pathname;
const [made] = await build({
  root,
  configFile: false,
  logLevel: "error",
  publicDir: false,
  build: { write: false, lib: { entry: `${root}src/features/sources/snippets/index.ts`, formats: ["es"], fileName: "snippets" } },
});
const { snippets } = await import(`data:text/javascript,${encodeURIComponent(made.output[0].code)}`);
const [key, host] = process.argv.slice(2);
console.log(JSON.stringify(snippets(key, host)));
