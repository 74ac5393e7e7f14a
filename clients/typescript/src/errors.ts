/** What the API says when it does not do what was asked. */
export class TallymarkError extends Error {
  override readonly name = 'TallymarkError';
  /** HTTP status; 0 if nobody answered. */
  readonly status: number;
  /** `TMxxxx`, documented at `docs`; `HTTP nnn` if something in between answered; `offline` if nobody did. */
  readonly code: string;
  /** What to do about it. */
  readonly hint: string;
  /** Path of the page about this code. */
  readonly docs: string;
  /** Seconds after which it is worth trying again, if the server said so. */
  readonly retryAfter: number | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    more: { hint?: string; docs?: string; retryAfter?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.status = status;
    this.code = code;
    this.hint = more.hint ?? '';
    this.docs = more.docs ?? '';
    this.retryAfter = more.retryAfter;
  }

  /** Waiting may help: the server is away, starting, busy, or throttles. */
  get retryable(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }

  /** From an answer; a body that is not Tallymark's (a proxy's page, say) still gives a usable sentence. */
  static async of(response: Response): Promise<TallymarkError> {
    const { status } = response;
    const body: unknown = await response.json().catch(() => null);
    const error = (body as { error?: Record<string, unknown> } | null)?.error;
    const text = (name: string) => (typeof error?.[name] === 'string' ? (error[name] as string) : '');
    const message = text('message') || `the answer has status ${status} and is not Tallymark's`;
    const retryAfter = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
    return new TallymarkError(status, text('code') || `HTTP ${status}`, message, {
      hint: text('hint'),
      docs: text('docs'),
      retryAfter: Number.isNaN(retryAfter) ? undefined : retryAfter,
    });
  }
}

/** Nobody answered. */
export function unreachable(url: string, cause: unknown): TallymarkError {
  if (cause instanceof TallymarkError) return cause;
  return new TallymarkError(0, 'offline', `${url} cannot be reached`, { cause });
}
