/**
 * A shop that measures itself: pages on one origin, the collector on another, and between them a hop that a test
 * can make busy, strict or forgetful.
 *
 * Guarantees: the SDKs are the files of their npm packages, unmodified; the hop changes no byte of a request.
 */
import { createServer, request as ask } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { certificate } from './tls.mjs';

const MODULES = resolve(import.meta.dirname, '../node_modules');
const SDKS = {
  '/sdk/posthog.js': 'posthog-js/dist/module.full.no-external.js',
  '/sdk/amplitude.js': '@amplitude/analytics-browser/lib/scripts/amplitude-min.umd.js',
  '/sdk/segment.js': '@segment/analytics-next/dist/umd/index.js',
  '/sdk/mixpanel.js': 'mixpanel-browser/dist/mixpanel.module.js',
  // The build that has its plugins with it; the others load them from the vendor's CDN.
  '/sdk/rudderstack.js': '@rudderstack/analytics-js/dist/npm/modern/bundled/esm/index.mjs',
  '/sdk/mparticle.js': '@mparticle/web-sdk/dist/mparticle.esm.js',
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
export async function openSite(script, target, { tls = false } = {}) {
  let url;
  const server = await listening(tls, async (incoming, answer) => {
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
  // Another host than the collector's 127.0.0.1, so that not only the origin but the site differs.
  url = `${tls ? 'https' : 'http'}://localhost:${server.address().port}`;
  return { url, close: () => close(server) };
}

/** What the hop answers by itself. */
const OWN = { busy: 503, strict: 429, forgetful: 503, unreachable: 502 };

/**
 * A hop in front of the collector at `target`. `hop.mode` decides what becomes of requests that carry events: `through`;
 * `busy`: 503, and the collector sees nothing; `strict`: 429; `forgetful`: the collector takes the request, and the
 * browser is told 503. While the collector is dead, connections end without an answer.
 *
 * 429 can be read by the page, as the collector's own can. The others are a load balancer's, which sends no CORS
 * headers, so that the page sees only a failure; with `hop.frank` they can be read too, and a dead collector is 502.
 * `hop.seen` lists every request.
 */
export async function openHop(target, { tls = false } = {}) {
  const hop = { mode: 'through', frank: false, seen: [] };
  const server = await listening(tls, (incoming, answer) => {
    const seen = describe(incoming, hop.mode);
    hop.seen.push(seen);
    const mode = seen.method === 'POST' ? hop.mode : 'through';
    const refuse = (why) => {
      const { origin } = incoming.headers;
      const readable = { 'access-control-allow-origin': origin ?? '*', 'access-control-allow-credentials': 'true' };
      const headers = { 'retry-after': '1', 'content-type': 'text/html', ...(hop.frank || why === 'strict' ? readable : {}) };
      answer.writeHead(OWN[why], headers).end('<h1>Not now</h1>');
    };
    if (mode === 'busy' || mode === 'strict') {
      seen.status = OWN[mode];
      incoming.resume().on('end', () => refuse(mode));
      return;
    }
    pass(incoming, answer, target, incoming.url, {
      told: (reply) => {
        seen.status = reply.statusCode;
        if (mode === 'forgetful') reply.resume().on('end', () => refuse(mode));
        return mode !== 'forgetful';
      },
      failed: () => {
        seen.unreachable = true;
        if (hop.frank) refuse('unreachable');
        else answer.destroy();
      },
    });
  });
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
  return Object.assign(hop, { url, close: () => close(server) });
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

function pass(incoming, answer, target, path, { headers = {}, told = () => true, failed = () => answer.destroy() }) {
  const to = new URL(target);
  const onward = ask(
    { host: to.hostname, port: to.port, path, method: incoming.method, headers: { ...incoming.headers, ...headers } },
    (reply) => {
      if (!told(reply)) return;
      answer.writeHead(reply.statusCode, reply.headers);
      reply.pipe(answer);
    },
  );
  onward.on('error', () => (answer.headersSent ? answer.destroy() : failed()));
  incoming.pipe(onward);
}

async function listening(tls, serve) {
  const server = tls ? createTlsServer(await certificate(), serve) : createServer(serve);
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

function close(server) {
  server.closeAllConnections();
  return new Promise((done) => server.close(done));
}
