import type { Place, Snippet } from './snippet';

/** PostHog's SDKs. */
export function posthog({ key, at }: Place): Snippet[] {
  return [
    {
      id: 'posthog-python',
      vendor: 'PostHog',
      name: 'Python',
      install: 'pip install posthog',
      code: `from posthog import Posthog

posthog = Posthog(${key}, host=${at('')})

posthog.capture("Sign Up", distinct_id="ana@example.com", properties={"plan": "free"})
posthog.shutdown()`,
    },
    {
      id: 'posthog-node',
      vendor: 'PostHog',
      name: 'Node.js',
      install: 'npm install posthog-node',
      code: `import { PostHog } from 'posthog-node';

const posthog = new PostHog(${key}, { host: ${at('')} });

posthog.capture({ distinctId: 'ana@example.com', event: 'Sign Up', properties: { plan: 'free' } });
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
  ];
}
