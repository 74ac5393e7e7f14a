import type { Place, Snippet } from './snippet';

/** Mixpanel's SDKs. */
export function mixpanel({ key, at, name, protocol }: Place): Snippet[] {
  return [
    {
      id: 'mixpanel-python',
      vendor: 'Mixpanel',
      name: 'Python',
      install: 'pip install mixpanel',
      code: `from mixpanel import Consumer, Mixpanel

mp = Mixpanel(${key}, Consumer(
    events_url=${at('/track')},
    people_url=${at('/engage')},
    groups_url=${at('/groups')},
    import_url=${at('/import')},
))

mp.track("ana@example.com", "Sign Up", {"plan": "free"})`,
    },
    {
      id: 'mixpanel-node',
      vendor: 'Mixpanel',
      name: 'Node.js',
      install: 'npm install mixpanel',
      code: `import Mixpanel from 'mixpanel';

const mixpanel = Mixpanel.init(${key}, {
  host: ${JSON.stringify(name)},
  protocol: ${JSON.stringify(protocol)},
});

mixpanel.track('Sign Up', { distinct_id: 'ana@example.com', plan: 'free' });`,
    },
    {
      id: 'mixpanel-browser',
      vendor: 'Mixpanel',
      name: 'Browser',
      install: 'npm install mixpanel-browser',
      code: `import mixpanel from 'mixpanel-browser';

mixpanel.init(${key}, { api_host: ${at('')} });

mixpanel.track('Sign Up', { plan: 'free' });`,
    },
  ];
}
