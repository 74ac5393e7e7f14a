//! Segment files: write, read, footer, object keys.
