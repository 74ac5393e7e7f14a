//! Protocols in: native, Amplitude, PostHog, Segment; bytes to envelopes to events.
