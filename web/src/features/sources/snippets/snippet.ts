/** What an SDK's page shows: how to install it, and the code that points it at this server. */
export interface Snippet {
  id: string;
  vendor: Vendor;
  name: string;
  /** Command that installs the SDK, if it needs one. */
  install?: string;
  code: string;
  note?: string;
}

export type Vendor =
  | 'Amplitude'
  | 'PostHog'
  | 'Segment'
  | 'RudderStack'
  | 'Mixpanel'
  | 'Heap'
  | 'mParticle'
  | 'Braze'
  | 'HTTP';

/** The project's key and this server's address, in the forms that code needs. */
export interface Place {
  writeKey: string;
  /** Address without a path, such as `https://tally.example.com`. */
  host: string;
  /** The key as a literal. */
  key: string;
  /** An address below the host as a literal. */
  at: (path: string) => string;
  /** `http` or `https`. */
  protocol: string;
  /** The host without its protocol, with its port. */
  name: string;
}

/** The place of a key at a host. */
export function place(writeKey: string, host: string): Place {
  const [protocol = 'https', name = host] = host.includes('://') ? host.split('://') : ['https', host];
  const at = (path: string) => JSON.stringify(`${host}${path}`);
  return { writeKey, host, key: JSON.stringify(writeKey), at, protocol, name };
}

/** What SDKs need that have https built in, where the server is reached without. */
export function needsHttps({ protocol }: Place): string | undefined {
  return protocol === 'https'
    ? undefined
    : 'This SDK has https built in: give the server a certificate first.';
}
