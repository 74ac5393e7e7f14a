import { describe, expect, it } from 'vitest';
import { fault, readable } from './mending';

describe('a letter being mended', () => {
  it('is laid out if it can be, and else left as it is', () => {
    expect(readable('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
    expect(readable('{"a":')).toBe('{"a":');
  });
  it('says what is wrong with it', () => {
    expect(fault(' ')).toMatch(/nothing/);
    expect(fault('{"a":')).toMatch(/no JSON/);
    expect(fault('{"a":1}')).toBeNull();
  });
});
