/** The shapes of the HTTP API that this app reads and writes. Meanings: docs of /api/v1. */

export interface Session {
  user: { email: string; name?: string | null } | null;
  setup_required: boolean;
  csrf: string | null;
  demo: boolean;
}

export interface Project {
  id: string;
  name: string;
  timezone: string;
  week_start?: 'monday' | 'sunday';
  write_key?: string;
  created_at?: string;
}

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type Properties = Record<string, Json>;

/** One stored event, as listed and as streamed. */
export interface EventItem {
  event: string;
  time: string;
  seq: string | number;
  person: string | null;
  user_id: string | null;
  device_id: string | null;
  session_id?: string | number | null;
  insert_id?: string | null;
  properties?: Properties | null;
  groups?: Properties | null;
  received_at?: string;
  annotations?: string[];
}

export interface EventPage {
  events: EventItem[];
  next: string | null;
}

export interface PersonItem {
  person: string;
  user_ids: string[];
  device_ids: string[];
  properties?: Properties | null;
  first_seen: string | null;
  last_seen: string | null;
  events?: number;
}

export interface PersonPage {
  persons: PersonItem[];
  next: string | null;
}

export interface PersonDetail extends PersonItem {
  merges: { at: string; kind: string; detail?: Json }[];
}

export type PropertyType = 'string' | 'number' | 'boolean' | 'list';

export interface SchemaEvent {
  name: string;
  count: number;
  first_seen?: string;
  last_seen?: string;
  operation?: boolean;
}

export interface SchemaProperty {
  name: string;
  scope: 'event' | 'user';
  types: PropertyType[];
  count: number;
  examples?: Json[];
  events?: string[];
}

export interface Schema {
  events: SchemaEvent[];
  properties: SchemaProperty[];
}

/* ---- ledger ---- */

export interface Identity {
  acknowledged: number;
  visible: number;
  duplicate: number;
  filtered: number;
  dead: number;
  pending: number;
  balanced: boolean;
  pending_exact?: boolean;
}

export interface LaneRow {
  lane: string;
  partition: number;
  start: number;
  end: number;
  cursor: number;
  pending: number;
  watermark: string | null;
}

export interface Tally {
  visible: number;
  duplicate: number;
  filtered: number;
  dead: number;
  control: number;
  hole: number;
}

export interface LedgerInterval {
  lane: string;
  partition: number;
  from: number;
  to: number;
  received_from: string | null;
  received_to: string | null;
  status: 'accounted' | 'skipped' | 'lost';
  tally?: Tally | null;
  fingerprint?: string | null;
  reason?: string | null;
}

export interface LedgerGap {
  lane: string;
  partition: number;
  from: number;
  to: number;
  cause: string;
  evidence?: Json;
}

export interface Ledger {
  log?: string;
  as_of: string;
  complete_through: string | null;
  identity: Identity;
  lanes: LaneRow[];
  intervals: LedgerInterval[];
  /** Older intervals that the answer does not list. */
  intervals_left_out?: number;
  gaps: LedgerGap[];
  instance?: Identity | null;
}

export interface DeadLetter {
  lane: string;
  partition: number;
  offset: number;
  received_at: string;
  reason: { code: string; message: string };
  body: Json;
}

export interface DeadLetterPage {
  dead: DeadLetter[];
  next: string | null;
}

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

export interface Envelope {
  as_of?: string;
  complete_through?: string | null;
  identity_version?: number | string;
  definition_hash?: string;
  restated?: boolean;
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
