/** How to point each SDK at this server. Pure, so that tests can read every snippet. */

export interface Snippet {
  id: string;
  vendor: 'Amplitude' | 'PostHog' | 'Segment' | 'HTTP';
  name: string;
  /** Command that installs the SDK, if it needs one. */
  install?: string;
  code: string;
  note?: string;
}

/** Every snippet with the project's own key and this server's address filled in. */
export function snippets(writeKey: string, host: string): Snippet[] {
  const key = JSON.stringify(writeKey);
  const at = (path: string) => JSON.stringify(`${host}${path}`);
  const { protocol, rest } = splitHost(host);
  return [
    {
      id: 'curl',
      vendor: 'HTTP',
      name: 'curl',
      code: `curl ${host}/api/v1/events \\
  -H 'Authorization: Bearer ${writeKey}' \\
  -H 'Content-Type: application/json' \\
  -d '{"events":[{"event":"Sign Up","user_id":"ana","properties":{"plan":"free"}}]}'`,
      note: 'The answer counts what was accepted once it is safe on disk, and names what was not and why.',
    },
    {
      id: 'amplitude-python',
      vendor: 'Amplitude',
      name: 'Python',
      install: 'pip install amplitude-analytics',
      code: `from amplitude import Amplitude, BaseEvent

client = Amplitude(${key})
client.configuration.server_url = ${at('/2/httpapi')}

client.track(BaseEvent("Sign Up", user_id="ana", event_properties={"plan": "free"}))
client.shutdown()`,
    },
    {
      id: 'amplitude-node',
      vendor: 'Amplitude',
      name: 'Node.js',
      install: 'npm install @amplitude/analytics-node',
      code: `import { flush, init, track } from '@amplitude/analytics-node';

init(${key}, { serverUrl: ${at('/2/httpapi')} });

track('Sign Up', { plan: 'free' }, { user_id: 'ana' });
await flush().promise;`,
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
    {
      id: 'posthog-python',
      vendor: 'PostHog',
      name: 'Python',
      install: 'pip install posthog',
      code: `from posthog import Posthog

posthog = Posthog(${key}, host=${at('')})

posthog.capture("Sign Up", distinct_id="ana", properties={"plan": "free"})
posthog.shutdown()`,
    },
    {
      id: 'posthog-node',
      vendor: 'PostHog',
      name: 'Node.js',
      install: 'npm install posthog-node',
      code: `import { PostHog } from 'posthog-node';

const posthog = new PostHog(${key}, { host: ${at('')} });

posthog.capture({ distinctId: 'ana', event: 'Sign Up', properties: { plan: 'free' } });
await posthog.shutdown();`,
    },
    {
      id: 'posthog-js',
      vendor: 'PostHog',
      name: 'Browser',
      install: 'npm install posthog-js',
      code: `import posthog from 'posthog-js';

posthog.init(${key}, {
  api_host: ${at('')},
  autocapture: false,
});

posthog.capture('Sign Up', { plan: 'free' });`,
    },
    {
      id: 'segment-python',
      vendor: 'Segment',
      name: 'Python',
      install: 'pip install segment-analytics-python',
      code: `import segment.analytics as analytics

analytics.write_key = ${key}
analytics.host = ${at('')}

analytics.track("ana", "Sign Up", {"plan": "free"})
analytics.shutdown()`,
    },
    {
      id: 'segment-node',
      vendor: 'Segment',
      name: 'Node.js',
      install: 'npm install @segment/analytics-node',
      code: `import { Analytics } from '@segment/analytics-node';

const analytics = new Analytics({ writeKey: ${key}, host: ${at('')} });

analytics.track({ userId: 'ana', event: 'Sign Up', properties: { plan: 'free' } });
await analytics.closeAndFlush();`,
    },
    {
      id: 'segment-browser',
      vendor: 'Segment',
      name: 'Browser',
      install: 'npm install @segment/analytics-next',
      code: `import { AnalyticsBrowser } from '@segment/analytics-next';

const analytics = AnalyticsBrowser.load({
  writeKey: ${key},
  cdnSettings: {
    integrations: {
      'Segment.io': {
        apiKey: ${key},
        apiHost: ${JSON.stringify(`${rest}/v1`)},
        protocol: ${JSON.stringify(protocol)},
      },
    },
  },
});

analytics.track('Sign Up', { plan: 'free' });`,
    },
  ];
}

function splitHost(host: string): { protocol: string; rest: string } {
  const [protocol = 'https', rest = host] = host.includes('://') ? host.split('://') : ['https', host];
  return { protocol, rest };
}
