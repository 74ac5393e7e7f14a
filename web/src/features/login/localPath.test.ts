import { expect, it } from 'vitest';
import { localPath } from './localPath';

it('keeps addresses of the app', () => {
  expect(localPath('/p/demo/charts/funnel?window=7d#x')).toBe('/p/demo/charts/funnel?window=7d#x');
  expect(localPath('/')).toBe('/');
});

it.each([
  '//evil.example',
  '/\\evil.example',
  '/\t/evil.example',
  '/\n/evil.example',
  'https://evil.example',
  'javascript:alert(1)',
  'p/demo',
  '',
  null,
  7,
])('refuses %j', (v) => expect(localPath(v)).toBeUndefined());
