//! From which value on monitors speak.
//!
//! Guarantees: units are in the names; the defaults are those of the objectives (freshness, dead-man, forecast).
//! Deliberately not here: the comparisons (`checks`).

use serde::{Deserialize, Serialize};

macro_rules! thresholds {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr),+ $(,)?) => {
        /// From which value on monitors speak.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Thresholds { $($(#[$doc])* pub $name: $type),+ }
        impl Default for Thresholds {
            fn default() -> Thresholds { Thresholds { $($name: $default),+ } }
        }
    };
}

thresholds! {
    /// Age of the oldest waiting event of a project, s: warning.
    freshness_warning_s: f64 = 60.0,
    /// Age of the oldest waiting event of a project, s: critical.
    freshness_critical_s: f64 = 300.0,
    /// Age of the oldest pending record of a live partition, s: warning.
    lag_warning_s: f64 = 60.0,
    /// Age of the oldest pending record of a live partition, s: critical.
    lag_critical_s: f64 = 300.0,
    /// How many times as old records of other lanes (bulk) may be.
    lag_bulk_factor: f64 = 60.0,
    /// Time until a limit of the log reaches unprocessed events, hours: warning.
    time_to_loss_warning_h: f64 = 72.0,
    /// Time until a limit of the log reaches unprocessed events, hours: critical.
    time_to_loss_critical_h: f64 = 24.0,
    /// Days until the disk is full at the rate it is written: warning. Above 7, so that the alarm is early enough.
    disk_days_warning: f64 = 10.0,
    /// Days until the disk is full: critical.
    disk_days_critical: f64 = 2.0,
    /// A partition is hot if its backlog is this many times the median of its lane.
    hot_partition_factor: f64 = 4.0,
    /// Below so many records no partition is hot.
    hot_partition_records_min: u64 = 10_000,
    /// A project or key is hot from this share of a shard's backlog on.
    hot_project_share: f64 = 0.5,
    /// Below so many records no project is hot.
    hot_project_records_min: u64 = 10_000,
    /// A source is watched once it has been sending for so long, minutes.
    source_observed_minutes: f64 = 15.0,
    /// A source may be silent this long, however much it usually sends, minutes.
    source_silent_minutes: f64 = 3.0,
    /// A source may be silent for so many times its longest pause.
    source_pause_factor: f64 = 3.0,
    /// Silence speaks once so many of the usual events are missing.
    source_missing_events: f64 = 20.0,
    /// The volume of a source is judged from so many events in five minutes, sent or usual, on.
    source_volume_events: f64 = 60.0,
    /// A source that sends this part of what is usual or less: warning.
    source_volume_low: f64 = 0.2,
    /// A source that sends this many times what is usual or more: warning.
    source_volume_high: f64 = 5.0,
    /// Rounds of a source of files may end early for so long, minutes.
    vacuum_failing_minutes: f64 = 5.0,
    /// A round over files may stand still this long, minutes.
    vacuum_still_minutes: f64 = 15.0,
    /// Days until a resource is used up at the observed rate: warning. Above 7, so that the alarm is early enough.
    resource_days_warning: f64 = 10.0,
    /// Days until a resource is used up: critical.
    resource_days_critical: f64 = 2.0,
    /// Growth observed for less than this says nothing, hours.
    resource_observed_hours_min: f64 = 1.0,
    /// The same for what also shrinks (memory, descriptors, inodes): a process that has just started grows, hours.
    level_observed_hours_min: f64 = 6.0,
    /// Part in use of a level (disk, memory, descriptors): warning.
    resource_share_warning: f64 = 0.85,
    /// Part in use of a level: critical.
    resource_share_critical: f64 = 0.95,
    /// Part in use of a counter that can never be given back (sequence, numbers): info.
    counter_share_info: f64 = 0.50,
    /// Part in use of a counter: warning.
    counter_share_warning: f64 = 0.75,
    /// Part in use of a counter: critical.
    counter_share_critical: f64 = 0.90,
    /// A backup is late after this many times its period.
    backup_periods_warning: f64 = 1.5,
    /// A backup is missing after this many times its period.
    backup_periods_critical: f64 = 3.0,
    /// A rehearsal is late after this many times its period.
    rehearsal_periods_warning: f64 = 1.5,
    /// A sealed log file may wait this long for the archive, minutes.
    archive_lag_warning_minutes: f64 = 60.0,
    /// A sealed log file that waits this long is critical, minutes.
    archive_lag_critical_minutes: f64 = 720.0,
    /// A commit may wait this long for its copy, s.
    commit_copy_lag_warning_s: f64 = 120.0,
    /// A commit that waits this long for its copy is critical, s.
    commit_copy_lag_critical_s: f64 = 1800.0,
    /// The newest checkpoint may be this old while there are commits it lacks, minutes.
    checkpoint_age_warning_minutes: f64 = 120.0,
    /// Rates are judged from so many records or requests on.
    rate_records_min: u64 = 200,
    /// Share of dead letters: warning.
    dead_share_warning: f64 = 0.05,
    /// Share of dead letters: critical.
    dead_share_critical: f64 = 0.25,
    /// Share of refused requests: warning.
    refused_share_warning: f64 = 0.10,
    /// Share of server errors: warning.
    server_error_share_warning: f64 = 0.005,
    /// Share of server errors: critical.
    server_error_share_critical: f64 = 0.05,
    /// Change of the duplicate share against what is usual, as a difference of shares.
    duplicate_share_change: f64 = 0.20,
    /// Share of records with an insert id that another event had already: warning.
    conflict_share_warning: f64 = 0.01,
    /// Age of a process's last sign of life, s: critical.
    heartbeat_critical_s: f64 = 30.0,
    /// The same for the auditor, s. Below 120, so that the alarm comes within 120.
    auditor_heartbeat_critical_s: f64 = 90.0,
    /// The auditor lives but checks nothing for so long, s.
    auditor_progress_critical_s: f64 = 100.0,
    /// A process may take this long to start, s.
    start_grace_s: f64 = 60.0,
    /// A process that was started this often in an hour does not run.
    restarts_per_hour_warning: u32 = 5,
    /// A backlog older than this must shrink, s.
    catch_up_after_s: f64 = 300.0,
    /// A backlog that takes longer than this is critical, hours.
    catch_up_critical_h: f64 = 12.0,
    /// A running job may stand still this long, minutes.
    job_still_minutes: f64 = 15.0,
    /// A job may wait this long to be started, minutes.
    job_queued_minutes: f64 = 120.0,
    /// A test event is sent this often per lane and partition, s. 0: every minute in protected environments, none in
    /// others; below 0: none.
    canary_every_s: f64 = 0.0,
    /// A test event may take this long to be queryable, s: critical.
    canary_critical_s: f64 = 120.0,
    /// An alert may wait this long for its receiver, minutes.
    delivery_warning_minutes: f64 = 5.0,
}
