/** An answer of the API that is not a success, with what the server says to do about it. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly docs: string | undefined;

  constructor(status: number, code: string, message: string, hint?: string, docs?: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.docs = docs;
  }

  /** Waiting may help: the server is starting, restarting or overloaded. */
  get retryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Reads an error body; a body that is not ours (a proxy's page, say) still gives a usable sentence. */
export function errorFrom(status: number, body: unknown): ApiError {
  const e = (body as { error?: Record<string, unknown> } | null)?.error;
  if (e && typeof e === 'object') {
    const text = (v: unknown) => (typeof v === 'string' && v !== '' ? v : undefined);
    return new ApiError(
      status,
      text(e.code) ?? `HTTP ${status}`,
      text(e.message) ?? fallback(status),
      text(e.hint),
      text(e.docs),
    );
  }
  return new ApiError(status, `HTTP ${status}`, fallback(status));
}

export function unreachable(): ApiError {
  return new ApiError(
    0,
    'offline',
    'The server cannot be reached.',
    'Check that tallymark is running and that this device is online. Events are collected by a process of their own and may still be arriving.',
  );
}

function fallback(status: number): string {
  if (status === 401) return 'You are not signed in.';
  if (status === 403) return 'Your account may not do this.';
  if (status === 404) return 'There is nothing at this address.';
  if (status === 503) return 'The server is starting or busy.';
  return `The server answered with status ${status}.`;
}
