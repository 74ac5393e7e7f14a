//! The raw archive: sealed files of the log in the object store, so that the log's disk can be given back and what
//! was trimmed can still be read by position.
//!
//! ```text
//! archive/{lane}/{file}.zst    the file's content, packed
//! archive/{lane}/{file}.json   offsets, receive times, sizes, checksums; written when the other was read back
//! ```
//! Guarantees: an entry exists only for a file that was read back and compared; a file leaves the log only by permit,
//! and with archiving on only after its entry exists.
//! Deliberately not here: how long things are kept (`retention`).

mod index;
mod keep;
mod read;
mod upload;

pub(crate) use index::blocking;

pub use index::{Archive, ArchivedEntry};
pub use keep::{Held, KeepReport, Keeper, newest_checkpoint};
pub use read::ArchivedLog;
pub use upload::Uploaded;

/// Prefix of all keys.
pub const ARCHIVE: &str = "archive";
