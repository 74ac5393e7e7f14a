import type { Place, Snippet } from './snippet';

/** Braze: Currents, and its REST API. */
export function braze({ host, writeKey }: Place): Snippet[] {
  return [
    {
      id: 'braze-currents',
      vendor: 'Braze',
      name: 'Currents',
      code: `${host}/webhooks/braze
Authorization: Bearer ${writeKey}`,
      note: 'Make a Custom HTTP connector with this endpoint; the bearer token is the write key.',
    },
    {
      id: 'braze-curl',
      vendor: 'Braze',
      name: 'curl',
      code: `curl ${host}/users/track \\
  -H 'Authorization: Bearer ${writeKey}' \\
  -H 'Content-Type: application/json' \\
  -d '{"events":[{"external_id":"ana@example.com","name":"Sign Up","time":"${new Date().toISOString()}"}]}'`,
    },
  ];
}
