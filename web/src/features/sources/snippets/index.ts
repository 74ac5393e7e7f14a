import { amplitude } from './amplitude';
import { braze } from './braze';
import { heap } from './heap';
import { http } from './http';
import { mixpanel } from './mixpanel';
import { mparticle } from './mparticle';
import { posthog } from './posthog';
import { rudderstack } from './rudderstack';
import { segment } from './segment';
import { place, type Snippet } from './snippet';

/** How to point each SDK at this server, with the project's own key and the server's address filled in. */
export function snippets(writeKey: string, host: string): Snippet[] {
  const here = place(writeKey, host);
  const vendors = [http, amplitude, posthog, segment, rudderstack, mixpanel, heap, mparticle, braze];
  return vendors.flatMap((vendor) => vendor(here));
}
