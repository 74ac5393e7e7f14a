import type { Place, Snippet } from './snippet';

/** Amplitude's SDKs. */
export function amplitude({ key, at }: Place): Snippet[] {
  return [
    {
      id: 'amplitude-python',
      vendor: 'Amplitude',
      name: 'Python',
      install: 'pip install amplitude-analytics',
      code: `from amplitude import Amplitude, BaseEvent

client = Amplitude(${key})
client.configuration.server_url = ${at('/2/httpapi')}

client.track(BaseEvent("Sign Up", user_id="ana@example.com", event_properties={"plan": "free"}))
client.shutdown()`,
    },
    {
      id: 'amplitude-node',
      vendor: 'Amplitude',
      name: 'Node.js',
      install: 'npm install @amplitude/analytics-node',
      code: `import { init, track } from '@amplitude/analytics-node';

init(${key}, { serverUrl: ${at('/2/httpapi')} });

await track('Sign Up', { plan: 'free' }, { user_id: 'ana@example.com' }).promise;`,
    },
    {
      id: 'amplitude-browser',
      vendor: 'Amplitude',
      name: 'Browser',
      install: 'npm install @amplitude/analytics-browser',
      code: `import * as amplitude from '@amplitude/analytics-browser';

amplitude.init(${key}, {
  serverUrl: ${at('/2/httpapi')},
  fetchRemoteConfig: false,
});

amplitude.track('Sign Up', { plan: 'free' });`,
    },
  ];
}
