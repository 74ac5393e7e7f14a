import type { Place, Snippet } from './snippet';

/** RudderStack's SDKs, and a RudderStack that forwards. */
export function rudderstack({ key, at, host, writeKey }: Place): Snippet[] {
  return [
    {
      id: 'rudderstack-python',
      vendor: 'RudderStack',
      name: 'Python',
      install: 'pip install rudder-sdk-python',
      code: `import rudderstack.analytics as rudder_analytics

rudder_analytics.write_key = ${key}
rudder_analytics.dataPlaneUrl = ${at('')}

rudder_analytics.track("ana@example.com", "Sign Up", {"plan": "free"})
rudder_analytics.shutdown()`,
    },
    {
      id: 'rudderstack-node',
      vendor: 'RudderStack',
      name: 'Node.js',
      install: 'npm install @rudderstack/rudder-sdk-node',
      code: `import Analytics from '@rudderstack/rudder-sdk-node';

const analytics = new Analytics(${key}, { dataPlaneUrl: ${at('')} });

analytics.track({ userId: 'ana@example.com', event: 'Sign Up', properties: { plan: 'free' } });
await analytics.flush();`,
    },
    {
      id: 'rudderstack-browser',
      vendor: 'RudderStack',
      name: 'Browser',
      install: 'npm install @rudderstack/analytics-js',
      code: `import { RudderAnalytics } from '@rudderstack/analytics-js';

const rudderAnalytics = new RudderAnalytics();
rudderAnalytics.load(${key}, ${at('')}, { configUrl: ${at('')} });

rudderAnalytics.track('Sign Up', { plan: 'free' });`,
    },
    {
      id: 'rudderstack-webhook',
      vendor: 'RudderStack',
      name: 'Forwarding',
      code: `${host}/webhooks/rudderstack
Authorization: Bearer ${writeKey}`,
      note: 'Keep RudderStack, and add a webhook destination with this address and header.',
    },
  ];
}
