//! How long the log keeps what was processed, and which settings are refused because they could forget events.
//!
//! Guarantees: no setting makes the log drop what was not processed: that needs a permit, which these settings only
//! delay. Deliberately not here: trimming (`archive`).

use serde::{Deserialize, Serialize};
use tallymark_model::Millis;

/// A day in ms.
const DAY_MS: f64 = 86_400_000.0;

/// Settings of log and archive (`retention` among the instance's settings).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Days that records stay in the log after they were received, once they are processed.
    pub days: f64,
    /// Copy files to the object store before they go. Without it, deep reprocessing reaches back `days` only.
    pub archive: bool,
    /// A size limit would drop events that were not processed when processing is down; so it is refused. Here to say
    /// so to those who look for it.
    pub max_log_bytes: Option<u64>,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { days: 7.0, archive: true, max_log_bytes: None }
    }
}

/// What retention must not fall below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floors {
    /// Days that processing may lag behind before an operator has to act.
    pub days_min: f64,
    /// Days for which an insert id is remembered; retention and a week must fit into it, so that whatever can still
    /// be read again is recognised.
    pub dedup_days: u16,
}

impl Default for Floors {
    fn default() -> Floors {
        Floors { days_min: 7.0, dedup_days: 30 }
    }
}

/// Settings under which events could be forgotten or counted twice. The process does not start with them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RetentionRefused {
    /// Too short for processing to be down and come back.
    #[error(
        "retention.days is {days}, the floor is {floor} days: with less, events could go before anybody has \
         repaired processing. Set it to {floor} or more; to save disk, leave `archive` on"
    )]
    TooShort {
        /// What was asked.
        days: f64,
        /// What is needed.
        floor: f64,
    },
    /// Longer than insert ids are remembered.
    #[error(
        "retention.days is {days}, but insert ids are remembered for {dedup_days} days only: an event read again \
         from the log after that would be counted twice. Set retention.days to {most} or less, or dedup_days to \
         {needed} or more"
    )]
    OutlivesDedup {
        /// What was asked.
        days: f64,
        /// The window.
        dedup_days: u16,
        /// Most days for this window.
        most: f64,
        /// The window needed for these days.
        needed: f64,
    },
    /// A limit by size.
    #[error(
        "retention.max_log_bytes is {bytes}: a log that is limited by size forgets events that were not processed. \
         Remove the setting; when the disk runs low there is an alarm with the time left, and nothing is dropped"
    )]
    BySize {
        /// What was asked.
        bytes: u64,
    },
    /// No number at all.
    #[error("retention.days is {days}; it must be a positive number")]
    NoNumber {
        /// What was asked.
        days: f64,
    },
}

impl Retention {
    /// Refuses what could forget or double events.
    pub fn check(&self, floors: &Floors) -> Result<(), RetentionRefused> {
        let days = self.days;
        if let Some(bytes) = self.max_log_bytes {
            return Err(RetentionRefused::BySize { bytes });
        }
        if !days.is_finite() || days < 0.0 {
            return Err(RetentionRefused::NoNumber { days });
        }
        if days < floors.days_min {
            return Err(RetentionRefused::TooShort { days, floor: floors.days_min });
        }
        let most = f64::from(floors.dedup_days) - 7.0;
        if days > most {
            let (dedup_days, needed) = (floors.dedup_days, (days + 7.0).ceil());
            return Err(RetentionRefused::OutlivesDedup { days, dedup_days, most, needed });
        }
        Ok(())
    }

    /// The same in ms.
    pub fn keep_ms(&self) -> Millis {
        (self.days * DAY_MS) as Millis
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_forget_is_refused_with_what_to_do() {
        let floors = Floors::default();
        let with = |days| Retention { days, archive: false, ..Retention::default() };
        assert_eq!(Retention::default().check(&floors), Ok(()));
        assert_eq!(with(23.0).check(&floors), Ok(()));
        let text = with(0.01).check(&floors).unwrap_err().to_string();
        assert!(text.contains("Set it to 7 or more"), "{text}");
        let text = with(24.0).check(&floors).unwrap_err().to_string();
        assert!(text.contains("dedup_days to 31"), "{text}");
        let limited = Retention { max_log_bytes: Some(1 << 30), ..Retention::default() };
        assert_eq!(limited.check(&floors), Err(RetentionRefused::BySize { bytes: 1 << 30 }));
        for days in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(matches!(with(days).check(&floors), Err(RetentionRefused::NoNumber { .. })));
        }
    }

    #[test]
    fn a_setting_with_a_wrong_name_is_an_error_not_a_default() {
        assert!(serde_json::from_str::<Retention>(r#"{"day": 3}"#).is_err());
        let read: Retention = serde_json::from_str(r#"{"days": 9}"#).unwrap();
        assert_eq!(read, Retention { days: 9.0, ..Retention::default() });
        assert_eq!(read.keep_ms(), 9 * 86_400_000);
    }
}
