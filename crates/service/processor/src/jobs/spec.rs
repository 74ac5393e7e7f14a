//! What a job was asked to do, read from its JSON.
//!
//! Guarantees: an unknown member or an impossible range is an error with words, never ignored.
//! Deliberately not here: doing it.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tallymark_ledger::{Interval, IntervalSet};
use tallymark_model::{Lane, Millis, Rule, SegmentId, Shard};

/// Spec of a skip.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SkipSpec {
    pub ranges: Vec<Interval>,
    /// Declare them lost rather than skipped.
    #[serde(default)]
    pub lost: bool,
}

/// Spec of a replay.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplaySpec {
    /// Empty: everything that is skipped.
    #[serde(default)]
    pub ranges: Vec<Interval>,
}

/// Spec of a reprocess, and of the preview of a rule.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReprocessSpec {
    /// Empty: the window decides.
    #[serde(default)]
    pub ranges: Vec<Interval>,
    /// Smallest receive time, ms UTC.
    #[serde(default)]
    pub received_from: Option<Millis>,
    /// First receive time that is not meant, ms UTC.
    #[serde(default)]
    pub received_to: Option<Millis>,
    /// Only try this rule.
    #[serde(default)]
    pub rule: Option<Rule>,
}

/// What to do with a state that was folded anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Switch {
    /// Use it if the running one differs.
    #[default]
    Auto,
    /// Use it.
    Always,
    /// Only compare.
    Never,
}

/// Spec of a rebuild of state.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RebuildSpec {
    #[serde(default)]
    pub switch: Switch,
}

/// Spec of a rebuild of segments.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SegmentsSpec {
    /// Empty: every live one is checked.
    #[serde(default)]
    pub segments: Vec<SegmentId>,
}

/// Reads a spec; `null` is an empty one.
pub(crate) fn parse<T: DeserializeOwned>(spec: &Value) -> Result<T, String> {
    let spec = if spec.is_null() { Value::Object(Default::default()) } else { spec.clone() };
    serde_json::from_value(spec).map_err(|e| format!("the job's spec cannot be used: {e}"))
}

/// The ranges as a set, if all of them can exist.
pub(crate) fn ranges(ranges: &[Interval], partitions: u16) -> Result<IntervalSet, String> {
    if let Some(bad) = ranges.iter().find(|r| r.is_empty()) {
        return Err(format!("the range {bad} is empty"));
    }
    if let Some(bad) = ranges.iter().find(|r| r.shard.partition >= partitions) {
        return Err(format!("there is no partition {}; the log has {partitions}", bad.shard));
    }
    Ok(ranges.iter().copied().collect())
}

/// `live/0:5000` as in the test switch.
pub(crate) fn shard_and_count(text: &str) -> Option<(Shard, u64)> {
    let (shard, count) = text.split_once(':')?;
    let (lane, partition) = shard.split_once('/')?;
    let shard = Shard { lane: Lane::from_name(lane)?, partition: partition.parse().ok()? };
    count.parse().ok().filter(|n| *n > 0).map(|n| (shard, n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_members_and_impossible_ranges_are_errors() {
        assert!(parse::<ReplaySpec>(&Value::Null).unwrap().ranges.is_empty());
        assert!(parse::<ReplaySpec>(&json!({"range": []})).unwrap_err().contains("range"));
        assert!(parse::<SkipSpec>(&json!({})).unwrap_err().contains("ranges"));
        let shard = json!({"lane": "live", "partition": 3});
        let spec: SkipSpec =
            parse(&json!({"ranges": [{"shard": shard, "from": 5, "to": 9}], "lost": true})).unwrap();
        assert!(spec.lost);
        assert_eq!(ranges(&spec.ranges, 4).unwrap().len(), 4);
        assert!(ranges(&spec.ranges, 3).unwrap_err().contains("live/3"));
        let empty = Interval { to: 5, ..spec.ranges[0] };
        assert!(ranges(&[empty], 4).is_err());
        assert_eq!(parse::<RebuildSpec>(&json!({"switch": "never"})).unwrap().switch, Switch::Never);
    }

    #[test]
    fn the_test_switch_names_shard_and_count() {
        let live = Shard { lane: Lane::Live, partition: 0 };
        assert_eq!(shard_and_count("live/0:5000"), Some((live, 5000)));
        for wrong in ["", "live/0", "live:5", "live/0:0", "fast/0:5", "live/x:5"] {
            assert_eq!(shard_and_count(wrong), None, "{wrong}");
        }
    }
}
