/** What users write, checked by the compiler alone: `@ts-expect-error` fails where there is no error. */
import { createTallymark, type Schemas, type Tallymark, TallymarkError } from '@tallymark/client';

const tallymark: Tallymark = createTallymark({ url: 'http://localhost', key: 'k' });

export async function fits(): Promise<number> {
  const sent = await tallymark.send([
    { event: 'a', user_id: 'u', properties: { n: 1 }, group_properties: { $set: { seats: 12 } } },
  ]);
  const rejected: Schemas['RejectedBody'][] = sent.rejected;
  const { data } = await tallymark.GET('/api/v1/projects/{project}/ledger', {
    params: { path: { project: 'shop' }, query: { from: '2026-01-01' } },
  });
  const answer = await tallymark.query<{ counts: number[] }>('shop', { type: 'funnel', steps: [] });
  return rejected.length + (data?.identity.visible ?? 0) + (answer.counts[0] ?? 0) + answer.gaps.length;
}

export async function doesNotFit(): Promise<void> {
  // @ts-expect-error an event has a name
  await tallymark.send([{ user_id: 'u' }]);
  // @ts-expect-error there is no such path
  await tallymark.GET('/api/v1/nowhere');
  // @ts-expect-error the path names the project
  await tallymark.GET('/api/v1/projects/{project}/ledger', {});
  // @ts-expect-error a query has a type
  await tallymark.query('shop', { steps: [] });
  // @ts-expect-error a key is needed
  createTallymark({ url: 'http://localhost' });
  // @ts-expect-error it is a number
  new TallymarkError(404, 'TM0002', 'no').status.trim();
}
