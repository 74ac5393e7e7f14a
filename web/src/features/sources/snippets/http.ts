import type { Place, Snippet } from './snippet';

/** Without an SDK. */
export function http({ writeKey, host }: Place): Snippet[] {
  return [
    {
      id: 'curl',
      vendor: 'HTTP',
      name: 'curl',
      code: `curl ${host}/api/v1/events \\
  -H 'Authorization: Bearer ${writeKey}' \\
  -H 'Content-Type: application/json' \\
  -d '{"events":[{"event":"Sign Up","user_id":"ana@example.com","properties":{"plan":"free"}}]}'`,
      note: 'The answer counts what was accepted once it is safe on disk, and names what was not and why.',
    },
  ];
}
