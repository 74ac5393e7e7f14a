//! Getting back what was lost.
//!
//! Deliberately not here: anything yet.
