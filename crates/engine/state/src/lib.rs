//! The fold of committed deltas: dedup, subjects, links.
