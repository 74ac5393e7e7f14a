/** A certificate for this machine that signs itself: some SDKs have https built in. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

let made;

/** `{ key, cert }` for localhost and 127.0.0.1, made once; a browser has to be told to take it. */
export function certificate() {
  made ??= make();
  return made;
}

async function make() {
  const folder = await mkdtemp(join(tmpdir(), 'tallymark-tls-'));
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name));
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  try {
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2'];
    await promisify(execFile)('openssl', [...request, ...names]);
    return { key: await readFile(key), cert: await readFile(cert) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
