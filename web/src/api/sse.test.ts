import { describe, expect, it } from 'vitest';
import { type Message, messages } from './sse';

async function read(...parts: string[]): Promise<Message[]> {
  const out: Message[] = [];
  async function* source() {
    yield* parts;
  }
  for await (const m of messages(source())) out.push(m);
  return out;
}

const text = 'event: progress\ndata: {"a":1}\n\n: alive\n\nevent: result\ndata: {"b":2}\n\n';

describe('server-sent events', () => {
  it('are read whatever the pieces', async () => {
    const whole = await read(text);
    expect(whole).toEqual([
      { event: 'progress', data: '{"a":1}' },
      { event: 'result', data: '{"b":2}' },
    ]);
    expect(await read(...text)).toEqual(whole);
    expect(await read(text.replaceAll('\n', '\r\n'))).toEqual(whole);
    expect(await read(...text.replaceAll('\n', '\r\n'))).toEqual(whole);
  });
  it('join several data lines and leave an unfinished message out', async () => {
    expect(await read('data: a\ndata: b\n\ndata: c')).toEqual([{ event: 'message', data: 'a\nb' }]);
  });
});
