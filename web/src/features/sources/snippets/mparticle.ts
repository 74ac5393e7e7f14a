import { needsHttps, type Place, type Snippet } from './snippet';

/** mParticle's SDKs, and an mParticle that forwards. */
export function mparticle(place: Place): Snippet[] {
  const { key, at, host, name, writeKey } = place;
  return [
    {
      id: 'mparticle-python',
      vendor: 'mParticle',
      name: 'Python',
      install: 'pip install mparticle',
      code: `import mparticle

configuration = mparticle.Configuration()
configuration.api_key = ${key}
configuration.api_secret = "unused"
configuration.host = ${at('/v2')}

batch = mparticle.Batch()
batch.environment = "production"
batch.user_identities = mparticle.UserIdentities(customerid="ana@example.com")
batch.events = [mparticle.AppEvent("Sign Up", "other")]
mparticle.EventsApi(configuration).upload_events(batch)`,
    },
    {
      id: 'mparticle-browser',
      vendor: 'mParticle',
      name: 'Browser',
      install: 'npm install @mparticle/web-sdk',
      code: `import mParticle from '@mparticle/web-sdk';

mParticle.init(${key}, { domain: ${JSON.stringify(name)} });

mParticle.logEvent('Sign Up', mParticle.EventType.Other, { plan: 'free' });`,
      note: needsHttps(place),
    },
    {
      id: 'mparticle-webhook',
      vendor: 'mParticle',
      name: 'Forwarding',
      code: `${host}/webhooks/mparticle?key=${encodeURIComponent(writeKey)}`,
      note: 'Keep mParticle, and let it post its event batches to this address.',
    },
  ];
}
