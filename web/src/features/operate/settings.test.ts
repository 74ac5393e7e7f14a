import { expect, test } from 'vitest';
import { parsed } from './settings';

test('settings are objects or refused with a reason', () => {
  expect(parsed('{"days": 7}').value).toEqual({ days: 7 });
  expect(parsed('').value).toEqual({});
  expect(parsed('[1]').problem).toContain('object');
  expect(parsed('{oops').problem).toContain('JSON');
});
