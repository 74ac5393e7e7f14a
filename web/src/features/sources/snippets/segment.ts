import type { Place, Snippet } from './snippet';

/** Segment's SDKs, and a Segment that forwards. */
export function segment({ key, at, host, writeKey, protocol, name }: Place): Snippet[] {
  return [
    {
      id: 'segment-python',
      vendor: 'Segment',
      name: 'Python',
      install: 'pip install segment-analytics-python',
      code: `import segment.analytics as analytics

analytics.write_key = ${key}
analytics.host = ${at('')}

analytics.track("ana@example.com", "Sign Up", {"plan": "free"})
analytics.shutdown()`,
    },
    {
      id: 'segment-node',
      vendor: 'Segment',
      name: 'Node.js',
      install: 'npm install @segment/analytics-node',
      code: `import { Analytics } from '@segment/analytics-node';

const analytics = new Analytics({ writeKey: ${key}, host: ${at('')} });

analytics.track({ userId: 'ana@example.com', event: 'Sign Up', properties: { plan: 'free' } });
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
        apiHost: ${JSON.stringify(`${name}/v1`)},
        protocol: ${JSON.stringify(protocol)},
      },
    },
  },
});

analytics.track('Sign Up', { plan: 'free' });`,
    },
    {
      id: 'segment-webhook',
      vendor: 'Segment',
      name: 'Forwarding',
      code: `${host}/webhooks/segment
Authorization: Bearer ${writeKey}`,
      note: 'Keep Segment, and add a webhook destination with this address and header.',
    },
  ];
}
