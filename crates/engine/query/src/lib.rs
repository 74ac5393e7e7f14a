//! The event scan over a snapshot: pruning, identity overlay, vectorised predicates, executor and budget.
