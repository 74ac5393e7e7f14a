/**
 * Starts the real server for a test and stops it again.
 *
 * The binary comes from TALLYMARK_BIN, else target/debug/tallymark. The data folder is new and is removed.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 15_000;

export async function startServer(options = [], env = {}) {
  const binary = process.env.TALLYMARK_BIN ?? resolve(import.meta.dirname, '../../../target/debug/tallymark');
  if (!existsSync(binary)) throw new Error(`no server binary at ${binary}: build it, or set TALLYMARK_BIN`);
  const data = await mkdtemp(join(tmpdir(), 'tallymark-browser-'));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  let child;
  let output = '';
  let exited;
  const keep = (chunk) => {
    output += chunk;
  };
  const launch = () => {
    exited = null;
    child = spawn(binary, ['serve', '--data', data, '--listen', address, ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', ...env },
    });
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.on('exit', (code, signal) => {
      exited = signal ?? code;
    });
  };
  launch();

  const stop = async () => {
    if (exited === null) {
      const gone = new Promise((done) => child.once('exit', done));
      child.kill('SIGINT');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      await gone;
      clearTimeout(late);
    }
    await rm(data, { recursive: true, force: true });
  };

  const url = `http://${address}`;

  /** Kills every process of the server at once, as a power failure does. */
  const crash = async () => {
    const components = JSON.parse(await readFile(join(data, 'run', 'components.json'), 'utf8'));
    const gone = new Promise((done) => child.once('exit', done));
    const roles = Object.values(components).flatMap(({ pid }) => (pid ? [pid] : []));
    for (const pid of [child.pid, ...roles]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
    await gone;
  };

  /** Starts it again over the same data, and waits until it is ready. */
  const restart = async () => {
    launch();
    await eventually('the server', START_LIMIT_MS, async () => {
      if (exited !== null) throw new Fatal(`the server ended (${exited}) before it was ready:\n${output}`);
      const answers = await Promise.all(['/health/ready', '/api/v1/session'].map((path) => fetch(url + path)));
      return answers.every((answer) => answer.ok);
    });
  };

  const code = await eventually('the set-up code', START_LIMIT_MS, async () => {
    if (exited !== null) throw new Fatal(`the server ended (${exited}) before it was ready:\n${output}`);
    const found = /Set-up code:\s*([A-Z0-9]+(?:-[A-Z0-9]+)+)\s/.exec(output)?.[1];
    const answer = found && (await fetch(`${url}/api/v1/session`).catch(() => null));
    return answer?.ok ? found : null;
  }).catch(async (error) => {
    await stop();
    throw error;
  });
  return { url, code, data, stop, crash, restart, output: () => output };
}

/** An error that waiting longer cannot mend. */
class Fatal extends Error {}

/** Asks again until there is an answer. */
export async function eventually(what, limitMs, ask) {
  const until = Date.now() + limitMs;
  let last;
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return answer;
    } catch (error) {
      if (error instanceof Fatal) throw error;
      last = error;
    }
    if (Date.now() > until) throw new Error(`${what} did not come within ${limitMs} ms`, { cause: last });
    await new Promise((done) => setTimeout(done, 150));
  }
}

/** Sends events the way any program would; fails unless every one is accepted. */
export async function send(url, writeKey, events) {
  const answer = await fetch(`${url}/api/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${writeKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ events }),
  });
  const body = await answer.json();
  if (answer.status !== 200 || body.accepted !== events.length) {
    throw new Error(`POST /api/v1/events: ${answer.status} ${JSON.stringify(body)}`);
  }
  return body;
}

function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.on('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}
