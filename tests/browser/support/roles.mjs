/** The processes of a server under test, to make one of them stand still. Linux only, like the server's own tests. */
import { readdir, readFile } from 'node:fs/promises';

/** Stops a role of the server at `url` until the returned function is called. */
export async function freeze(url, role) {
  const pid = await find(new URL(url).host, role);
  process.kill(pid, 'SIGSTOP');
  return () => process.kill(pid, 'SIGCONT');
}

async function find(address, role) {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const line = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    const words = line.split('\0');
    if (words[1] === 'role' && words[2] === role && words.includes(address)) return Number(entry);
  }
  throw new Error(`no process of role ${role} for ${address}`);
}
