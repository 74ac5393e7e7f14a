//! Facts about who sends what.
//!
//! Guarantees: counts and times of receipt as the log gives them.
//! Deliberately not here: how they are remembered (`sources`), and what to think of them (`checks`).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tallymark_model::{Lane, Millis, ProjectId, ProjectToken};

/// Who sends: one library under one key in one protocol into one project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name in addresses: made of the fields that tell it from others, and the same for ever.
    pub id: String,
    /// Into which project.
    pub project: ProjectId,
    /// Over which lane. What comes over another than the live one is an import, which ends on purpose.
    pub lane: Lane,
    /// Under which key: its name and first characters.
    pub key: String,
    /// In which protocol.
    pub protocol: String,
    /// What the library calls itself; `None` if it does not say.
    pub library: Option<String>,
    /// Version of the library, as last heard.
    #[serde(default)]
    pub version: Option<String>,
}

impl Source {
    /// The name of what one library sends under one key in one protocol over one lane.
    pub fn id_of(token: ProjectToken, lane: Lane, protocol: &str, library: Option<&str>) -> String {
        let told = format!("{token}\n{}\n{protocol}\n{}", lane.name(), library.unwrap_or_default());
        Sha256::digest(told).iter().take(8).map(|b| format!("{b:02x}")).collect()
    }
}

/// What a source sends now and what is usual for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// Who.
    pub source: Source,
    /// Somebody wants to be told about it.
    pub watched: bool,
    /// Its key is not valid any more: it ended on purpose.
    pub key_ended: bool,
    /// It was found silent already, and has sent nothing since.
    pub found_silent: bool,
    /// How much and when.
    pub volume: Volume,
}

/// Events of one source, by the time of their receipt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// The first event ever seen.
    pub first: Millis,
    /// The newest event.
    pub last: Millis,
    /// How long it had been sending, without a pause of an hour, when the newest event came.
    pub observed_ms: Millis,
    /// Events per minute in the hour before the last half hour; as far as there is one, and never after the newest event.
    pub usual_per_minute: f64,
    /// Longest pause in that time and after it, in whole minutes.
    pub longest_pause_ms: Millis,
    /// Length of the last minutes.
    pub recent_ms: Millis,
    /// Events in them.
    pub recent: u64,
    /// Fewest and most events in as many minutes of that hour; `None` if it was shorter than them.
    pub extremes: Option<(u64, u64)>,
    /// What is usual at this time on other days; `None` if it was not there at this time on any other day.
    pub other_days: Option<OtherDays>,
}

/// Events per minute at this time of the day, give or take an hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OtherDays {
    /// The lower one of: in the middle of the last seven days, and a week ago.
    pub low: f64,
    /// The higher one of the same.
    pub high: f64,
}
