import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('the types are those of the API as it is now (else: npm run types)', () => {
  const api = readFileSync('../crates/edge/api/openapi.json');
  const hash = createHash('sha256').update(api).digest('hex');
  expect(readFileSync('src/api/schema.d.ts', 'utf8').split('\n')[0]).toContain(hash);
});
