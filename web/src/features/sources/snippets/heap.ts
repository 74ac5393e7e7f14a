import type { Place, Snippet } from './snippet';

/** Heap's server API. */
export function heap({ key, at, host }: Place): Snippet[] {
  return [
    {
      id: 'heap-python',
      vendor: 'Heap',
      name: 'Python',
      install: 'pip install heapapi',
      code: `from heapapi import HeapAPIClient

HeapAPIClient.track_api = ${at('/api/track')}
HeapAPIClient.props_api = ${at('/api/add_user_properties')}

client = HeapAPIClient(${key})
client.track("ana@example.com", "Sign Up", {"plan": "free"})`,
    },
    {
      id: 'heap-curl',
      vendor: 'Heap',
      name: 'curl',
      code: `curl ${host}/api/track \\
  -d '{"app_id":${key},"identity":"ana@example.com","event":"Sign Up","properties":{"plan":"free"}}'`,
    },
  ];
}
