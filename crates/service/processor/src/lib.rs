//! Log to outcomes to segment and delta to commit to apply.
