/**
 * Writes src/api/schema.d.ts from the API description of the server.
 *
 * The generator needs TypeScript 5's compiler API, which TypeScript 7 no longer has; so both are fetched at these
 * exact versions for this command only. The result is committed and carries the hash of its source, which a test
 * compares: a changed API without new types fails.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const source = '../crates/edge/api/openapi.json';
const target = 'src/api/schema.d.ts';
const packages = ['--package', 'openapi-typescript@7.13.0', '--package', 'typescript@5.9.3'];

const text = readFileSync(source);
const folder = mkdtempSync(join(tmpdir(), 'tallymark-types-'));
const plain = join(folder, 'openapi.json');
writeFileSync(plain, JSON.stringify(withoutOperationIds(JSON.parse(text))));
execFileSync('npx', ['--yes', ...packages, '--', 'openapi-typescript', plain, '-o', target], {
  stdio: 'inherit',
});
rmSync(folder, { recursive: true });
const hash = createHash('sha256').update(text).digest('hex');
writeFileSync(
  target,
  `// Made by \`npm run types\` from the API description with sha256 ${hash}.\n${readFileSync(target, 'utf8')}`,
);

/** Operations are found by their path; ids would only have to be unique for the generator's sake. */
function withoutOperationIds(document) {
  for (const item of Object.values(document.paths)) {
    for (const operation of Object.values(item)) delete operation?.operationId;
  }
  return document;
}
