//! Cohorts (chapter 9): who satisfies a definition, at one instant or at any.
//!
//! A definition is expanded (`expand`: stored cohorts become their definitions), its clauses are looked up in one
//! scan (`evidence`), and the tree over them (`tree`) says of persons at instants whether they belong.
//!
//! Guarantees: zero counts are real, so persons who did nothing in question may belong; the answer does not
//! depend on threads or files; memory is counted. Deliberately not here: parsing (`query::cohort`), where stored
//! definitions are kept.

mod dynamic;
mod evidence;
mod expand;
mod membership;
mod moments;
mod service;
mod stored;
mod tree;

pub(crate) use expand::Directory;
pub(crate) use membership::Resolver;
pub use service::{STATIC_MAX, StoredMembers};
pub(crate) use tree::{Instants, Tree};
