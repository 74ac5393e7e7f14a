//! Every limit of the protocols in one table. Sources: the vendors' documentation where it names a number,
//! otherwise the smallest round number above what their SDKs send.

/// Deepest nesting of one client event, counted from its own outer brace.
pub const DEPTH: usize = 64;
/// Largest single event that can become visible; larger ones are rejected or dead-lettered.
pub const EVENT_BYTES: usize = 1 << 20;
/// Longest event name in characters; longer ones are cut and annotated.
pub const NAME_CHARS: usize = 1024;
/// Longest user, device, insert or session id in bytes. An id is never cut (two people could become one).
pub const ID_BYTES: usize = 1024;
/// PostHog cuts `distinct_id` to this many characters, so clients may rely on it.
pub const POSTHOG_DISTINCT_ID_CHARS: usize = 200;
/// Most events of one native request.
pub const NATIVE_EVENTS: usize = 20_000;
/// Most events of one Amplitude request; more are answered 413, which makes its SDKs halve the batch.
pub const AMPLITUDE_EVENTS: usize = 2000;
/// Most items of one Amplitude `/identify` or `/groupidentify` request.
pub const AMPLITUDE_IDENTIFICATIONS: usize = 1024;
/// Most events or items of one Mixpanel request.
pub const MIXPANEL_EVENTS: usize = 2000;
/// Most events, users or accounts of one Heap request.
pub const HEAP_ITEMS: usize = 1000;
/// Heap cuts a value that was a list to this many characters.
pub const HEAP_LIST_CHARS: usize = 1024;
/// Most events of one request of Heap's browser script.
pub const HEAP_PIXEL_EVENTS: usize = 100;
/// Most events of one PostHog or Segment request.
pub const VENDOR_EVENTS: usize = 20_000;
/// Most group types of one event, and names per type; more are dropped.
pub const GROUP_TYPES: usize = 5;
/// See [`GROUP_TYPES`].
pub const GROUP_NAMES: usize = 10;
/// Most decoding layers of one body (an SDK's gzip inside a proxy's gzip).
pub const LAYERS: usize = 2;
/// A body may grow by this factor when decoded; only checked above [`RATIO_FREE_BYTES`].
pub const RATIO: usize = 400;
/// Up to this size any ratio is fine.
pub const RATIO_FREE_BYTES: usize = 4 << 20;
/// Longest `User-Agent` kept, in characters.
pub const USER_AGENT_CHARS: usize = 512;
/// PostHog's clocks: a time further ahead than this is replaced by the receive time.
pub const POSTHOG_FUTURE_MS: i64 = 23 * 3_600_000;
