/** Server-sent events out of a fetched body; needed where a question is a POST, which EventSource cannot send. */

export interface Message {
  event: string;
  data: string;
}

/** Messages of a text stream that comes in any pieces. */
export async function* messages(pieces: AsyncIterable<string>): AsyncGenerator<Message> {
  let rest = '';
  for await (const piece of pieces) {
    rest += piece;
    // A line end may be cut in two; the last block waits for its blank line anyway.
    const blocks = rest.replace(/\r\n/g, '\n').split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const message = read(block);
      if (message) yield message;
    }
  }
}

/** One block; null for comments, which keep the line open. */
function read(block: string): Message | null {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) event = line.slice(6).trim();
    if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
  }
  return data.length ? { event, data: data.join('\n') } : null;
}

/** The text of a body as it arrives. */
export async function* pieces(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as never)
    .getReader() as ReadableStreamDefaultReader<string>;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.releaseLock();
  }
}
