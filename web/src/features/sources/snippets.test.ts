import { describe, expect, it } from 'vitest';
import { snippets } from './snippets';

const all = snippets('tm_write_0123456789', 'http://127.0.0.1:8000');

describe('SDK snippets', () => {
  it('cover the SDKs that the collector speaks', () => {
    expect(all.map((s) => s.id).sort()).toEqual([
      'amplitude-browser',
      'amplitude-node',
      'amplitude-python',
      'curl',
      'posthog-js',
      'posthog-node',
      'posthog-python',
      'segment-browser',
      'segment-node',
      'segment-python',
    ]);
  });

  it.each(all)('$id carries the key and this server', ({ code }) => {
    expect(code).toContain('tm_write_0123456789');
    expect(code).toContain('127.0.0.1:8000');
    expect(code).not.toMatch(/undefined|YOUR_|<key>/i);
  });

  it('gives Segment in the browser its host and protocol apart', () => {
    const code = snippets('k', 'https://tally.example.com').find((s) => s.id === 'segment-browser')?.code;
    expect(code).toContain('apiHost: "tally.example.com/v1"');
    expect(code).toContain('protocol: "https"');
  });

  it('sends valid JSON with curl', () => {
    const body = /-d '(.*)'/s.exec(all.find((s) => s.id === 'curl')?.code ?? '')?.[1];
    expect(JSON.parse(body ?? '').events[0].event).toBe('Sign Up');
  });
});
