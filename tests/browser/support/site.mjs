/**
 * A shop that measures itself: pages on one origin, the collector on another, and between them a hop that a test
 * can make busy, deaf or forgetful.
 *
 * Guarantees: the SDKs are the files of their npm packages, unmodified; the hop changes no byte of a request.
 */
import { createServer, request as ask } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const MODULES = resolve(import.meta.dirname, '../node_modules');
const SDKS = {
  '/sdk/posthog.js': 'posthog-js/dist/module.full.no-external.js',
  '/sdk/amplitude.js': '@amplitude/analytics-browser/lib/scripts/amplitude-min.umd.js',
  '/sdk/segment.js': '@segment/analytics-next/dist/umd/index.js',
};

/** Ordinary Chrome: the SDKs send nothing for a browser that calls itself headless. */
export const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36';

const page = (script) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title>
<link rel="icon" href="data:,"></head><body><nav><a id="home" href="/">Home</a></nav>
<main class="content"><section data-area="offer"><button id="buy" class="btn primary" type="button">Buy now</button>
<button id="later" class="btn" type="button">Maybe later</button></section></main>${script}</body></html>`;

/**
 * The shop. `script` writes what its pages load, given its URL; requests below `/ingest` are passed on to `target` as a reverse proxy
 * of the shop's own domain would, which takes the prefix away.
 */
export async function openSite(script, target) {
  let url;
  const server = createServer(async (incoming, answer) => {
    const { pathname } = new URL(incoming.url, 'http://shop');
    if (SDKS[pathname]) {
      answer.setHeader('content-type', 'text/javascript; charset=utf-8');
      return answer.end(await readFile(join(MODULES, SDKS[pathname])));
    }
    if (pathname.startsWith('/ingest/')) {
      const headers = { 'x-forwarded-prefix': '/ingest', 'x-forwarded-host': incoming.headers.host };
      return pass(incoming, answer, target, incoming.url.slice('/ingest'.length), { headers });
    }
    answer.setHeader('content-type', 'text/html; charset=utf-8');
    answer.end(page(script(url)));
  });
  const port = await listen(server);
  // Another host than the collector's 127.0.0.1, so that not only the origin but the site differs.
  url = `http://localhost:${port}`;
  return { url, close: () => close(server) };
}

/**
 * A hop in front of the collector at `target`. `hop.mode` decides what becomes of requests that carry events:
 * `through`; `busy`: 503 as a load balancer answers, without CORS headers; `forgetful`: the collector takes the
 * request, and the browser is told 503; `deaf`: it takes the request and the connection ends without an answer.
 * `hop.seen` lists every request.
 */
export async function openHop(target) {
  const hop = { mode: 'through', seen: [] };
  const server = createServer((incoming, answer) => {
    const seen = describe(incoming, hop.mode);
    hop.seen.push(seen);
    const mode = seen.method === 'POST' ? hop.mode : 'through';
    if (mode === 'busy') {
      incoming.resume().on('end', () => {
        seen.status = 503;
        answer.writeHead(503, { 'retry-after': '1', 'content-type': 'text/html' }).end('<h1>503</h1>');
      });
      return;
    }
    pass(incoming, answer, target, incoming.url, { mode, seen });
  });
  const port = await listen(server);
  return Object.assign(hop, { url: `http://127.0.0.1:${port}`, close: () => close(server) });
}

function describe(incoming, mode) {
  const { method, headers } = incoming;
  const url = new URL(incoming.url, 'http://hop');
  const seen = { method, mode, path: url.pathname, query: url.searchParams, head: '', bytes: 0, status: 0 };
  incoming.on('data', (chunk) => {
    if (seen.bytes === 0) seen.head = chunk.subarray(0, 64).toString('latin1');
    seen.bytes += chunk.length;
  });
  return Object.assign(seen, { type: headers['content-type'] ?? '', encoding: headers['content-encoding'] ?? '' });
}

function pass(incoming, answer, target, path, { headers = {}, mode = 'through', seen = {} }) {
  const to = new URL(target);
  const onward = ask(
    { host: to.hostname, port: to.port, path, method: incoming.method, headers: { ...incoming.headers, ...headers } },
    (reply) => {
      seen.status = reply.statusCode;
      if (mode === 'deaf') {
        reply.resume().on('end', () => answer.destroy());
        return;
      }
      if (mode === 'forgetful') {
        reply.resume().on('end', () => answer.writeHead(503, { 'retry-after': '1' }).end());
        return;
      }
      answer.writeHead(reply.statusCode, reply.headers);
      reply.pipe(answer);
    },
  );
  onward.on('error', () => answer.destroy());
  incoming.pipe(onward);
}

function listen(server) {
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
}

function close(server) {
  server.closeAllConnections();
  return new Promise((done) => server.close(done));
}
