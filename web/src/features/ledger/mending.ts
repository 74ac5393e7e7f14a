/** Bytes of a dead letter, for reading and mending. Pure. */

/** JSON with line breaks; anything else stays as it was sent. */
export function readable(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

/** Why a text is no JSON, where, and null if it is. */
export function fault(text: string): string | null {
  if (text.trim() === '') return 'There is nothing to try.';
  try {
    JSON.parse(text);
    return null;
  } catch (e) {
    return `This is no JSON: ${e instanceof Error ? e.message : 'it cannot be read'}`;
  }
}
