//! Backups: everything that a restored instance needs, in another place.
//!
//! ```text
//! instance.json             whose backups these are
//! chunks/ab/{sha256}        pieces of files, by their content; a piece that is there is not written again
//! lists/ab/{sha256}.json    which pieces make up which files, some files to a list; unchanged lists are shared
//! manifests/{ms}-{seq}.json one per backup, written last: commit, cursors, lists
//! ```
//! Guarantees: a backup is consistent to one commit: the catalog as of it, every file that it names, and the log from
//! before its cursors to its durable end. A backup without its manifest does not exist. What is restored is compared
//! with the checksum taken when it was read for the backup, piece by piece, and flushed (R4). A damaged backup is
//! never taken for a good one: the newest good one is taken and it is said which were passed by (X18).
//! Deliberately not here: when to back up.

mod chunks;
mod known;
mod manifest;
mod probe;
mod prune;
mod rehearse;
mod restore;
mod take;

pub use manifest::{BackupInfo, Manifest, list_backups};
pub use probe::{Probe, probe};
pub use prune::KeepPolicy;
pub use rehearse::{Inspect, Rehearsal, rehearse};
pub use restore::{At, Passed, RestoreReport, UNFINISHED, restore, restore_with};
pub use take::{BackupOptions, BackupReport, Source, backup, backup_with, whole_is_due};

use crate::RecoveryError;
use tallymark_store::ObjectStore;

/// Opens a place for backups: a folder, or the URL of an object store that this build knows.
pub async fn open_target(place: &str) -> Result<ObjectStore, RecoveryError> {
    let url = if place.contains(':') { place.to_owned() } else { format!("file:{place}") };
    let store = tallymark_store::open(&url)?;
    probe(&store, &url).await?;
    Ok(store)
}
