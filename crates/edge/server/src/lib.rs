//! Composition root: open backends by URL, start roles, supervise, drain.
