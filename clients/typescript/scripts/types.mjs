/**
 * Makes src/schema.ts from the API description of the server; `--check` says whether it is what the description gives.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const source = new URL('../../../crates/edge/api/openapi.json', import.meta.url);
export const target = new URL('../src/schema.ts', import.meta.url);

/** What the description gives now. */
export async function made() {
  const document = withoutOperationIds(JSON.parse(readFileSync(source, 'utf8')));
  // An object of unknown members is a query, an answer, settings: not an object without members.
  const ast = await openapiTS(document, { emptyObjectsUnknown: true });
  return `// Made by \`npm run types\` from the API description of the server.\n\n${astToString(ast)}`;
}

/** Operations are found by their path; ids would only have to be unique for the generator's sake. */
function withoutOperationIds(document) {
  for (const item of Object.values(document.paths)) {
    for (const operation of Object.values(item)) delete operation?.operationId;
  }
  return document;
}

if (process.argv[1] === new URL(import.meta.url).pathname) writeFileSync(target, await made());
