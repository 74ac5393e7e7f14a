import { describe, expect, it } from 'vitest';
import { snippets } from '.';

const all = snippets('tm_write_0123456789', 'http://127.0.0.1:8000');

describe('SDK snippets', () => {
  it('cover the SDKs that the collector speaks', () => {
    expect(all.map((s) => s.id).sort()).toEqual([
      'amplitude-browser',
      'amplitude-node',
      'amplitude-python',
      'braze-curl',
      'braze-currents',
      'curl',
      'heap-curl',
      'heap-python',
      'mixpanel-browser',
      'mixpanel-node',
      'mixpanel-python',
      'mparticle-browser',
      'mparticle-python',
      'mparticle-webhook',
      'posthog-js',
      'posthog-node',
      'posthog-python',
      'rudderstack-browser',
      'rudderstack-node',
      'rudderstack-python',
      'rudderstack-webhook',
      'segment-browser',
      'segment-node',
      'segment-python',
      'segment-webhook',
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

  it.each(['curl', 'heap-curl', 'braze-curl'])('sends valid JSON with %s', (id) => {
    const body = /-d '(.*)'/s.exec(all.find((s) => s.id === id)?.code ?? '')?.[1];
    const told = JSON.parse(body ?? '');
    const event = told.events?.[0] ?? told;
    expect(event.event ?? event.name).toBe('Sign Up');
  });

  it('says what an SDK needs that speaks https only', () => {
    const note = (host: string) => snippets('k', host).find((s) => s.id === 'mparticle-browser')?.note;
    expect(note('http://127.0.0.1:8000')).toContain('certificate');
    expect(note('https://tally.example.com')).toBeUndefined();
  });
});
