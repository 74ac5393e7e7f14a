/** Remembers the project that was open last, so that the front door leads back to it. */
const KEY = 'tallymark-project';

export function lastProject(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function rememberProject(name: string): void {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // Without storage the first project of the list opens; nothing else depends on it.
  }
}
