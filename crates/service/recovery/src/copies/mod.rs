//! Copies of what only the catalog knows, in the object store: each commit, and the tables commits do not carry.
//!
//! ```text
//! commits/{seq}.json      the commit as recorded: advances, segments added and removed, restatements, masks
//! settings/{unix ms}.json every table that has the rule "copied"; written when something in it changed
//! ```
//! Guarantees: `commits/` is a prefix of the feed without holes, in order; copies of a history that a restore has left
//! behind are moved aside, never mixed. How far behind they are is known at any time ([`CopyState`]).
//! Deliberately not here: folding them back (`rebuild`).

mod commits;
mod settings;

pub use commits::{COMMITS, CommitCopier, CopyState, check_not_lost, commit_key, read_commit};
pub use settings::{SETTINGS, SettingsCopier, newest_settings, settings_key};

use crate::RecoveryError;
use std::time::Duration;
use tallymark_catalog::sqlite::SqliteCatalog;
use tallymark_store::ObjectStore;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often the feed is looked at: a commit is copied well within two seconds.
const COMMITS_EVERY: Duration = Duration::from_millis(500);
/// How often the settings are looked at, in rounds of the above.
const SETTINGS_EVERY: u32 = 4;

/// Copies until told to stop. Failures are logged and tried again; how far it is can be read from `say`.
pub async fn run(
    catalog: SqliteCatalog,
    store: ObjectStore,
    say: watch::Sender<CopyState>,
    stop: CancellationToken,
) {
    let mut commits: Option<CommitCopier> = None;
    let mut settings: Option<SettingsCopier> = None;
    let mut round = 0u32;
    while !stop.is_cancelled() {
        let worked = async {
            let copier = match &mut commits {
                Some(copier) => copier,
                none => none.insert(CommitCopier::open(catalog.clone(), store.clone()).await?),
            };
            copier.round().await?;
            say.send_replace(copier.state());
            if round.is_multiple_of(SETTINGS_EVERY) {
                let copier = match &mut settings {
                    Some(copier) => copier,
                    none => none.insert(SettingsCopier::open(catalog.clone(), store.clone()).await?),
                };
                copier.round().await?;
            }
            Ok::<(), RecoveryError>(())
        };
        if let Err(error) = worked.await {
            tracing::warn!(%error, "commits or settings could not be copied; trying again");
            // Open again: what is there may have changed under us.
            (commits, settings) = (None, None);
        }
        round = round.wrapping_add(1);
        tokio::select! {
            () = tokio::time::sleep(COMMITS_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}
