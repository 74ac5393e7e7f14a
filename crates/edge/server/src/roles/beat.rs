//! A sign of life per role: `run/{role}.beat` holds the time of the last beat, ms UTC.
//!
//! Guarantees: replaced as a whole, so a reader never sees half a number; a role whose runtime is stuck stops beating.
//! Deliberately not here: whether the role gets anywhere (its work says that), judging the age (`monitor`).

use crate::{Layout, Role, layout};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(2);

/// Beats until told to stop. The auditor beats by itself, with each sample: a loop that stands still is no life.
pub fn keep(layout: &Layout, role: Role, stop: CancellationToken) {
    if role == Role::Audit {
        return;
    }
    let path = layout.beat(role.name());
    tokio::spawn(async move {
        while !stop.is_cancelled() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
            if let Err(error) = layout::write_private(&path, &now.to_string()) {
                tracing::warn!(%error, "sign of life not written");
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    });
}
