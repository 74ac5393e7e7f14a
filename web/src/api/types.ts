/**
 * The shapes of the HTTP API that this app reads and writes. Those of the API description come from it; the
 * language of queries and their answers is written down here, because the description calls them objects.
 */
import type { components } from './schema';

type Schemas = components['schemas'];

/** A shape of the API description with fields that the description leaves open made precise. */
type Sharp<T, Precise> = Omit<T, keyof Precise> & Precise;

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type Properties = Record<string, Json>;

export type Session = Schemas['SessionBody'];
export type Project = Sharp<Schemas['ProjectBody'], { settings?: Properties }>;
export type SetUp = Schemas['SetUp'];

/** One stored event, as listed and as streamed. */
export type EventItem = Sharp<
  Schemas['EventBody'],
  { seq: string | number; properties?: Properties | null; groups?: Properties | null }
>;
export type EventPage = Sharp<Schemas['EventsBody'], { events: EventItem[] }>;

export type Merge = Sharp<Schemas['MergeBody'], { detail?: Json }>;
export type PersonItem = Sharp<
  Schemas['PersonBody'],
  { properties?: Properties | null; merges?: Merge[] | null }
>;
export type PersonPage = Sharp<Schemas['PersonsBody'], { persons: PersonItem[] }>;

export type PropertyType = 'string' | 'number' | 'boolean' | 'list';
export type SchemaEvent = Schemas['SchemaEventBody'];
export type SchemaProperty = Sharp<
  Schemas['SchemaPropertyBody'],
  { scope: 'event' | 'user'; types: PropertyType[]; examples: Json[] }
>;
export interface Schema {
  events: SchemaEvent[];
  properties: SchemaProperty[];
}

export type Identity = Schemas['IdentityBody'];
export type LaneRow = Schemas['LaneBody'];
export type Tally = Schemas['TallyBody'];
export type LedgerInterval = Sharp<Schemas['IntervalBody'], { status: 'accounted' | 'skipped' | 'lost' }>;
export type LedgerGap = Schemas['GapBody'];
export type Ledger = Sharp<Schemas['LedgerBody'], { intervals: LedgerInterval[] }>;
export type Conflicts = Schemas['ConflictsBody'];
export type DeadLetter = Schemas['DeadLetterBody'];
export type DeadLetterPage = Schemas['DeadLettersBody'];

/* ---- queries ---- */

export type Operator =
  | 'is'
  | 'is_not'
  | 'contains'
  | 'not_contains'
  | 'starts_with'
  | 'ends_with'
  | 'regex'
  | 'not_regex'
  | 'gt'
  | 'gte'
  | 'lt'
  | 'lte'
  | 'between'
  | 'before'
  | 'after'
  | 'is_set'
  | 'is_not_set';

export interface Condition {
  scope: 'event' | 'user' | 'person';
  property: string;
  op: Operator;
  value?: Json;
}

export interface Selector {
  event: string | string[];
  where?: Condition[];
}

export interface Duration {
  n: number;
  unit: 'minute' | 'hour' | 'day' | 'week' | 'month';
}

export type QueryRange =
  | { from: string; to: string }
  | { last: number; unit: string; exclude_current?: boolean };

export interface Query {
  type: 'segmentation' | 'funnel' | 'retention';
  range: QueryRange;
  [key: string]: unknown;
}

/** Records that an answer does not count: passed by, unreadable, or not decided yet. */
export interface AnswerGap {
  lane: string;
  partition: number;
  from: number;
  to: number;
  received_from: string | number | null;
  received_to: string | number | null;
  count: number;
  state: 'skipped' | 'lost' | 'unaccounted';
  reason?: string | null;
}

export interface Envelope {
  as_of?: string;
  complete_through?: string | null;
  identity_version?: number | string;
  definition_hash?: string;
  restated?: boolean;
  /** False if gaps touch the range, or it goes beyond `complete_through`. */
  complete?: boolean;
  gaps?: AnswerGap[];
  /** An answer from before the catalog was lost. */
  stale?: { since: string; reason: string } | null;
}

export interface SegmentationSeries {
  key: string | number;
  /** A text, or one text per dimension. */
  breakdown?: string | string[] | null;
  values: (number | null)[];
  total: number | null;
  actors?: number;
}

export interface SegmentationResult extends Envelope {
  buckets: string[];
  incomplete: boolean[];
  series: SegmentationSeries[];
}

export interface StepTime {
  avg_s: number | null;
  median_s: number | null;
}

export interface FunnelGroup {
  breakdown?: string | string[] | null;
  counts: number[];
  /** One per step; null for the first, to which no time leads. */
  step_times?: (StepTime | null)[];
  total_time?: (StepTime & Record<string, unknown>) | null;
}

export interface FunnelResult extends Envelope, Partial<FunnelGroup> {
  groups?: FunnelGroup[];
}

export interface RetentionCohort {
  cohort: string;
  size: number;
  values: (number | null)[];
  complete: boolean[];
}

export interface RetentionGroup {
  breakdown?: string | string[] | null;
  cohorts: RetentionCohort[];
  overall: (number | null)[];
}

export interface RetentionResult extends Envelope, Partial<RetentionGroup> {
  groups?: RetentionGroup[];
}
