import { describe, expect, it } from 'vitest';
import { ApiError, errorFrom } from './errors';
import { tailUrl } from './live';

describe('errors of the API', () => {
  it('keep code, message and hint', () => {
    const e = errorFrom(403, { error: { code: 'TM0212', message: 'wrong code', hint: 'look', docs: '/d' } });
    expect(e).toBeInstanceOf(ApiError);
    expect(e).toMatchObject({ status: 403, code: 'TM0212', message: 'wrong code', hint: 'look', docs: '/d' });
    expect(e.retryable).toBe(false);
  });
  it('say something useful for bodies that are not ours', () => {
    for (const body of [null, undefined, '<html>', { error: 'no' }, []]) {
      expect(errorFrom(503, body).message).toMatch(/starting or busy/);
    }
    expect(errorFrom(503, null).retryable).toBe(true);
  });
});

it('escapes names in the address of the tail', () => {
  expect(tailUrl('a/b c', {})).toBe('/api/v1/projects/a%2Fb%20c/events');
  expect(tailUrl('p', { event: 'A&B' })).toBe('/api/v1/projects/p/events?event=A%26B');
});
