/**
 * Only addresses of this app: a link must not be able to send people elsewhere after they sign in.
 * Browsers read a backslash as a slash and skip control characters, so neither may follow the first slash.
 */
export function localPath(v: unknown): string | undefined {
  if (typeof v !== 'string' || !v.startsWith('/')) return undefined;
  const here = 'http://here.invalid';
  try {
    const url = new URL(v, here);
    return url.origin === here ? url.pathname + url.search + url.hash : undefined;
  } catch {
    return undefined;
  }
}
