//! Every monitor at its borders: silent just below, speaking at the value, with what must be named.

use super::*;
use crate::config::{DAY, HOUR, MINUTE};
use crate::facts::*;
use tallymark_model::Shard;

const NOW: Millis = 1_795_240_800_000; // 2026-11-21 06:00:00 UTC
const LIVE: Shard = Shard { lane: Lane::Live, partition: 2 };
const BULK: Shard = Shard { lane: Lane::Bulk, partition: 0 };

fn facts() -> Facts {
    let project = |id: u32, name: &str| ProjectFacts {
        project: ProjectId(id),
        name: name.to_owned(),
        watermark: NOW,
        pending: Some(0),
        oldest_pending: None,
    };
    Facts {
        at: NOW,
        environment: "development".to_owned(),
        projects: vec![project(3, "shop"), project(4, "blog")],
        ..Facts::default()
    }
}

fn shard(shard: Shard, pending: u64, age_ms: Millis) -> ShardFacts {
    ShardFacts {
        shard,
        log_start: 0,
        log_end: 1_000_000 + pending,
        cursor: 1_000_000,
        oldest_pending: Some(NOW - age_ms),
        newest: Some(NOW),
        drain_per_s: None,
        arrival_per_s: None,
        backlog_shares: vec![],
        retention_ms: None,
        retention_bytes: None,
        log_bytes: 0,
        needs_permit: true,
    }
}

fn run(monitor: Monitor, facts: &Facts) -> Vec<Finding> {
    let found = function(monitor)(facts, &Thresholds::default());
    for f in &found {
        assert_eq!(f.monitor, monitor);
        assert!(!f.title.chars().any(|c| c.is_ascii_digit()), "a title may become public: {}", f.title);
        assert!(!f.title.contains("shop"), "a title may become public: {}", f.title);
    }
    found
}

fn severities(monitor: Monitor, facts: &Facts) -> Vec<Severity> {
    run(monitor, facts).iter().map(|f| f.severity).collect()
}

/// The only finding; its detail names all of these.
fn one(monitor: Monitor, facts: &Facts, named: &[&str]) -> Finding {
    let mut found = run(monitor, facts);
    assert_eq!(found.len(), 1, "{found:?}");
    let found = found.remove(0);
    for name in named {
        assert!(found.detail.contains(name), "{name:?} is not in {:?}", found.detail);
    }
    found
}

#[test]
fn nothing_known_is_nothing_wrong_but_failed_facts_are() {
    assert_eq!(check(&facts(), &Thresholds::default()), []);
    let blind = Facts { unavailable: vec![("catalog".into(), "disk I/O error".into())], ..facts() };
    assert_eq!(one(Monitor::BlindSpot, &blind, &["catalog", "disk I/O error"]).severity, Severity::Warning);
}

#[test]
fn what_nobody_sees_has_not_ended() {
    let mut f = facts();
    f.projects[0].oldest_pending = Some(NOW - HOUR);
    f.audit = vec![AuditFinding {
        key: "x".into(),
        kind: AuditKind::WrongSum,
        projects: vec![],
        interval: None,
        received: None,
        count: None,
        evidence: "x".into(),
        found: NOW,
    }];
    let before = check(&f, &Thresholds::default());
    let monitors = |facts: &Facts| -> Vec<Monitor> {
        judge(facts, &Thresholds::default(), &before).iter().map(|f| f.monitor).collect()
    };
    assert_eq!(monitors(&facts()), []);
    let blind = |name: &str| Facts { unavailable: vec![(name.into(), "gone".into())], ..facts() };
    // The auditor's findings have a source of their own, which says that it is right again.
    assert_eq!(monitors(&blind("catalog")), [Monitor::Freshness, Monitor::BlindSpot]);
    assert_eq!(monitors(&blind("backup")), [Monitor::BlindSpot]);
    assert_eq!(one(Monitor::BlindSpot, &blind("catalog"), &[]).impact, Impact::Minor);
}

#[test]
fn freshness() {
    let late = |ms| {
        let mut f = facts();
        f.projects[0].oldest_pending = Some(NOW - ms);
        f.projects[0].pending = Some(17);
        f
    };
    assert_eq!(severities(Monitor::Freshness, &late(59_999)), []);
    assert_eq!(severities(Monitor::Freshness, &late(60_000)), [Severity::Warning]);
    assert_eq!(severities(Monitor::Freshness, &late(299_999)), [Severity::Warning]);
    let found =
        one(Monitor::Freshness, &late(300_000), &["shop (3)", "2026-11-21 05:55:00 UTC", "17 events"]);
    assert_eq!(
        (found.severity, found.impact, found.projects),
        (Severity::Critical, Impact::Major, vec![ProjectId(3)])
    );
}

#[test]
fn lag() {
    let with = |s| Facts { shards: vec![s], ..facts() };
    assert_eq!(severities(Monitor::Lag, &with(shard(LIVE, 5, 59_999))), []);
    assert_eq!(severities(Monitor::Lag, &with(shard(LIVE, 5, 60_000))), [Severity::Warning]);
    let found = one(
        Monitor::Lag,
        &with(shard(LIVE, 5, 300_000)),
        &[
            "lane live, partition 2, offsets 1000000 to 1000005",
            "5 events",
            "received 2026-11-21 05:55:00 UTC",
        ],
    );
    assert_eq!((found.severity, found.component), (Severity::Critical, Component::Lane(Lane::Live)));
    assert_eq!(found.affected[0].interval, Some(Interval::new(LIVE, 1_000_000, 1_000_005)));
    // Imports have an hour; an empty backlog has no age, whatever the fact says.
    assert_eq!(severities(Monitor::Lag, &with(shard(BULK, 5, HOUR - 1))), []);
    assert_eq!(severities(Monitor::Lag, &with(shard(BULK, 5, HOUR))), [Severity::Warning]);
    assert_eq!(severities(Monitor::Lag, &with(shard(LIVE, 0, HOUR))), []);
}

#[test]
fn retention_against_lag() {
    let with = |f: &dyn Fn(&mut ShardFacts)| {
        let mut s = shard(LIVE, 1_000, HOUR);
        f(&mut s);
        Facts { shards: vec![s], ..facts() }
    };
    let by_age = |limit_h, needs_permit| {
        with(&move |s| (s.retention_ms, s.needs_permit) = (Some(limit_h * HOUR), needs_permit))
    };
    let m = Monitor::RetentionAgainstLag;
    assert_eq!(severities(m, &by_age(74, false)), []);
    assert_eq!(severities(m, &by_age(73, false)), [Severity::Warning]);
    assert_eq!(severities(m, &by_age(25, false)), [Severity::Critical]);
    one(m, &by_age(3, false), &["in 2 h", "partition 2", "1000 events"]);
    // With permits nothing can be lost.
    assert_eq!(severities(m, &by_age(3, true)), []);
    assert_eq!(severities(m, &by_age(1, true)), [Severity::Warning]);
    // 1,000 pending of 1,001,000 records in 1,001,000 bytes; 100 bytes/s more arrive than are worked off.
    let by_size = |limit| {
        with(&move |s| {
            (s.retention_bytes, s.log_bytes, s.needs_permit) = (Some(limit), 1_001_000, false);
            (s.drain_per_s, s.arrival_per_s) = (Some(50.0), Some(150.0));
        })
    };
    assert_eq!(severities(m, &by_size(1_000 + 72 * 360_000 + 1_000)), []);
    assert_eq!(severities(m, &by_size(1_000 + 72 * 360_000)), [Severity::Warning]);
    assert_eq!(severities(m, &by_size(999)), [Severity::Critical]);
    // Already gone.
    let gone = with(&|s| s.log_start = 1_000_400);
    let found = one(m, &gone, &["offsets 1000000 to 1000400", "400 events", "archive"]);
    assert_eq!((found.severity, found.impact), (Severity::Critical, Impact::Critical));
    assert_eq!(severities(m, &with(&|s| s.log_start = 1_000_000)), []);
}

#[test]
fn disk_days_left() {
    let with = |days: f64, growth: Option<(f64, f64)>| {
        let disk = DiskFacts {
            name: "data".into(),
            bytes_total: 1_000_000_000_000,
            bytes_free: 500_000_000_000,
            inodes_total: 0,
            inodes_free: 0,
            log_bytes_per_s: Some(500e9 / days / 86_400.0),
        };
        let mut resources = resources_of_disk(&disk);
        resources[0].growth =
            growth.map(|(days, observed_hours)| Growth { per_day: 500e9 / days, observed_hours });
        Facts { disks: vec![disk], resources, ..facts() }
    };
    let m = Monitor::DiskDaysLeft;
    assert_eq!(severities(m, &with(10.01, None)), []);
    assert_eq!(severities(m, &with(9.99, None)), [Severity::Warning]);
    assert_eq!(severities(m, &with(1.99, None)), [Severity::Critical]);
    one(m, &with(4.0, None), &["data", "4.0 days", "500.0 GB free", "the log writes 125.00 GB a day"]);
    // What the disk really gained over a day counts more than what is written (old files go).
    assert_eq!(severities(m, &with(4.0, Some((100.0, 24.0)))), []);
    assert_eq!(severities(m, &with(4.0, Some((100.0, 23.9)))), [Severity::Warning]);
}

#[test]
fn hot_partition() {
    let with = |pending: &[u64], age| {
        let shards = pending.iter().enumerate();
        let shards = shards.map(|(i, n)| shard(Shard { partition: i as u16, ..LIVE }, *n, age)).collect();
        Facts { shards, ..facts() }
    };
    let m = Monitor::HotPartition;
    assert_eq!(severities(m, &with(&[5_000, 5_000, 19_999, 5_000], HOUR)), []);
    assert_eq!(severities(m, &with(&[5_000, 5_000, 20_000, 5_000], HOUR)), [Severity::Warning]);
    assert_eq!(severities(m, &with(&[5_000, 5_000, 20_000, 5_000], 1_000)), [Severity::Info]);
    // Small backlogs are never hot; one partition has nobody to be compared with.
    assert_eq!(severities(m, &with(&[0, 9_999], HOUR)), []);
    assert_eq!(severities(m, &with(&[0, 10_000], HOUR)), [Severity::Warning]);
    assert_eq!(severities(m, &with(&[1_000_000], HOUR)), []);
    assert_eq!(
        one(m, &with(&[0, 10_000], HOUR), &["partition 1", "10000 events", "median of the lane is 0"]).key,
        "live/1"
    );
}

#[test]
fn hot_project() {
    let with = |pending, share, key: Option<&str>| {
        let mut s = shard(LIVE, pending, HOUR);
        s.backlog_shares = vec![Share { project: Some(ProjectId(3)), key: key.map(str::to_owned), share }];
        Facts { shards: vec![s], ..facts() }
    };
    let m = Monitor::HotProject;
    assert_eq!(severities(m, &with(10_000, 0.499, None)), []);
    assert_eq!(severities(m, &with(9_999, 0.9, None)), []);
    let found = one(m, &with(10_000, 0.5, None), &["shop (3)", "50 %", "10000 events", "partition 2"]);
    assert_eq!((found.severity, found.projects), (Severity::Warning, vec![ProjectId(3)]));
    one(m, &with(10_000, 0.9, Some("ab12")), &["Key ab12"]);
    // The only project always has the whole backlog.
    let mut alone = with(10_000, 1.0, None);
    alone.projects.truncate(1);
    assert_eq!(severities(m, &alone), []);
}

#[test]
fn finite_resources() {
    let with = |kind, used: f64, days: Option<f64>, observed_hours| {
        let mut r = ResourceFacts::new(kind, "catalog.commits", used, 1_000.0);
        r.growth = days.map(|d| Growth { per_day: (1_000.0 - used) / d, observed_hours });
        Facts { resources: vec![r], ..facts() }
    };
    let m = Monitor::FiniteResources;
    for (used, expected) in [
        (499.0, vec![]),
        (500.0, vec![Severity::Info]),
        (750.0, vec![Severity::Warning]),
        (900.0, vec![Severity::Critical]),
    ] {
        assert_eq!(severities(m, &with(ResourceKind::Sequence, used, None, 0.0)), expected, "{used}");
    }
    for (used, expected) in
        [(849.0, vec![]), (850.0, vec![Severity::Warning]), (950.0, vec![Severity::Critical])]
    {
        assert_eq!(severities(m, &with(ResourceKind::FileDescriptors, used, None, 0.0)), expected, "{used}");
    }
    let memory = ResourceKind::MemoryBytes;
    assert_eq!(severities(m, &with(memory, 100.0, Some(10.1), 6.0)), []);
    assert_eq!(severities(m, &with(memory, 100.0, Some(9.9), 6.0)), [Severity::Warning]);
    assert_eq!(severities(m, &with(memory, 100.0, Some(1.9), 6.0)), [Severity::Critical]);
    assert_eq!(severities(m, &with(memory, 100.0, Some(1.9), 5.9)), []);
    assert_eq!(severities(m, &with(ResourceKind::Offsets, 100.0, Some(9.9), 1.0)), [Severity::Warning]);
    assert_eq!(severities(m, &with(ResourceKind::Offsets, 100.0, Some(9.9), 0.9)), []);
    one(
        m,
        &with(ResourceKind::Sequence, 500.0, Some(5.0), 2.0),
        &["Sequence of catalog.commits", "50.0 %", "5.0 days"],
    );
    // Inodes of a disk are watched without being listed.
    let disk = DiskFacts {
        name: "data".into(),
        bytes_total: 100,
        bytes_free: 50,
        inodes_total: 100,
        inodes_free: 15,
        log_bytes_per_s: None,
    };
    one(m, &Facts { disks: vec![disk], ..facts() }, &["Inodes of data", "85.0 %"]);
}

#[test]
fn backup_age() {
    let with = |age: Option<Millis>, error: Option<&str>| {
        let backup = BackupFacts {
            newest: age.map(|a| NOW - a),
            due_since: NOW - 10 * DAY,
            every_ms: DAY,
            last_error: error.map(str::to_owned),
        };
        Facts { backup: Some(backup), ..facts() }
    };
    let m = Monitor::BackupAge;
    assert_eq!(severities(m, &with(Some(36 * HOUR - 1), None)), []);
    assert_eq!(severities(m, &with(Some(36 * HOUR), None)), [Severity::Warning]);
    assert_eq!(severities(m, &with(Some(72 * HOUR), None)), [Severity::Critical]);
    assert_eq!(one(m, &with(None, None), &["never", "10 days"]).severity, Severity::Critical);
    one(m, &with(Some(HOUR), Some("no space")), &["no space"]);
    assert_eq!(severities(m, &facts()), []);
    assert_eq!(severities(m, &Facts { environment: "production".into(), ..facts() }), [Severity::Warning]);
}

#[test]
fn rehearsal_age() {
    let with = |age, error: Option<&str>| {
        let rehearsal = RehearsalFacts {
            newest: Some(NOW - age),
            due_since: NOW - 90 * DAY,
            every_ms: 7 * DAY,
            last_error: error.map(str::to_owned),
            took_s: None,
        };
        Facts { rehearsal: Some(rehearsal), ..facts() }
    };
    let m = Monitor::RehearsalAge;
    assert_eq!(severities(m, &with(10 * DAY + 12 * HOUR - 1, None)), []);
    assert_eq!(severities(m, &with(10 * DAY + 12 * HOUR, None)), [Severity::Warning]);
    assert_eq!(one(m, &with(DAY, Some("sums differ")), &["sums differ"]).severity, Severity::Critical);
}

#[test]
fn copies_and_checkpoints() {
    let copy = |age: Option<Millis>| {
        Some(CopyFacts { waiting: 4, oldest_waiting: age.map(|a| NOW - a), last_error: Some("503".into()) })
    };
    let archive = |age| Facts { archive: copy(age), ..facts() };
    assert_eq!(severities(Monitor::ArchiveLag, &archive(Some(HOUR - 1))), []);
    assert_eq!(severities(Monitor::ArchiveLag, &archive(Some(HOUR))), [Severity::Warning]);
    assert_eq!(severities(Monitor::ArchiveLag, &archive(Some(12 * HOUR))), [Severity::Critical]);
    assert_eq!(severities(Monitor::ArchiveLag, &archive(None)), []);
    one(Monitor::ArchiveLag, &archive(Some(HOUR)), &["4 log files", "503"]);

    let commits = |age| Facts { commit_copy: copy(Some(age)), ..facts() };
    assert_eq!(severities(Monitor::CommitCopyLag, &commits(119_999)), []);
    assert_eq!(severities(Monitor::CommitCopyLag, &commits(120_000)), [Severity::Warning]);
    assert_eq!(severities(Monitor::CommitCopyLag, &commits(30 * MINUTE)), [Severity::Critical]);

    let checkpoint = |age, behind| {
        let checkpoint = AgeFacts { newest: Some(NOW - age), due_since: 0, behind };
        Facts { checkpoint: Some(checkpoint), ..facts() }
    };
    assert_eq!(severities(Monitor::CheckpointAge, &checkpoint(2 * HOUR - 1, 9)), []);
    assert_eq!(severities(Monitor::CheckpointAge, &checkpoint(2 * HOUR, 9)), [Severity::Warning]);
    assert_eq!(severities(Monitor::CheckpointAge, &checkpoint(2 * HOUR, 0)), []);
}

#[test]
fn error_rates() {
    let base = RateFacts {
        project: Some(ProjectId(3)),
        name: "shop".into(),
        window_s: 300,
        records: 1_000,
        dead: 0,
        duplicates: 100,
        conflicts: 0,
        usual_duplicate_share: Some(0.1),
        requests: 1_000,
        refused: 0,
        server_errors: 0,
        throttled: 0,
    };
    let with = |f: &dyn Fn(&mut RateFacts)| {
        let mut r = base.clone();
        f(&mut r);
        Facts { rates: vec![r], ..facts() }
    };
    let m = Monitor::ErrorRates;
    assert_eq!(severities(m, &with(&|_| {})), []);
    assert_eq!(severities(m, &with(&|r| r.dead = 49)), []);
    assert_eq!(severities(m, &with(&|r| r.dead = 50)), [Severity::Warning]);
    assert_eq!(severities(m, &with(&|r| r.dead = 250)), [Severity::Critical]);
    one(m, &with(&|r| r.dead = 50), &["shop (3)", "50 of 1000", "5.0 %", "in the last 5 min"]);
    assert_eq!(severities(m, &with(&|r| r.refused = 99)), []);
    assert_eq!(severities(m, &with(&|r| r.refused = 1_000)), [Severity::Warning]);
    assert_eq!(severities(m, &with(&|r| r.server_errors = 4)), []);
    assert_eq!(severities(m, &with(&|r| r.server_errors = 5)), [Severity::Warning]);
    assert_eq!(severities(m, &with(&|r| r.server_errors = 50)), [Severity::Critical]);
    assert_eq!(severities(m, &with(&|r| r.duplicates = 299)), []);
    assert_eq!(severities(m, &with(&|r| r.duplicates = 301)), [Severity::Warning]);
    assert_eq!(severities(m, &with(&|r| r.usual_duplicate_share = None)), []);
    assert_eq!(severities(m, &with(&|r| r.conflicts = 9)), []);
    one(m, &with(&|r| r.conflicts = 10), &["10 of 1000", "insert id of another event"]);
    // One bad record at night.
    assert_eq!(
        severities(m, &with(&|r| (r.records, r.requests, r.dead, r.server_errors) = (199, 199, 199, 199))),
        []
    );
}

#[test]
fn dead_heartbeat() {
    let with = |role: &str, f: &dyn Fn(&mut RoleFacts)| {
        let mut r = RoleFacts {
            role: role.into(),
            state: RoleState::Running,
            beat: Some(NOW),
            progressed: Some(NOW),
            started: Some(NOW - DAY),
            restarts_last_hour: 0,
        };
        f(&mut r);
        Facts { roles: vec![r], ..facts() }
    };
    let m = Monitor::DeadHeartbeat;
    let beat = |role: &str, age| with(role, &|r| r.beat = Some(NOW - age));
    assert_eq!(severities(m, &beat("process", 29_999)), []);
    assert_eq!(one(m, &beat("process", 30_000), &["`process`"]).component, Component::Processing);
    assert_eq!(one(m, &beat("collect", 30_000), &[]).impact, Impact::Critical);
    assert_eq!(severities(m, &beat("audit", 89_999)), []);
    assert_eq!(one(m, &beat("audit", 90_000), &["2026-11-21 05:58:30 UTC"]).component, Component::Auditor);
    // It beats, but checks nothing.
    assert_eq!(severities(m, &with("audit", &|r| r.progressed = Some(NOW - 99_999))), []);
    one(m, &with("audit", &|r| r.progressed = Some(NOW - 100_000)), &["checked nothing"]);
    // A clock ahead proves nothing.
    assert_eq!(severities(m, &beat("audit", -60_000)), []);
    one(m, &beat("audit", -60_001), &["clock"]);
    // A start takes a moment; what was switched off is not missed.
    let starting = |age| with("web", &|r| (r.beat, r.started) = (None, Some(NOW - age)));
    assert_eq!(severities(m, &starting(59_999)), []);
    assert_eq!(severities(m, &starting(60_000)), [Severity::Critical]);
    assert_eq!(severities(m, &with("web", &|r| (r.beat, r.state) = (None, RoleState::Disabled))), []);
    assert_eq!(severities(m, &with("web", &|r| r.restarts_last_hour = 4)), []);
    assert_eq!(severities(m, &with("web", &|r| r.restarts_last_hour = 5)), [Severity::Warning]);
}

#[test]
fn auditor_findings() {
    let hole = AuditFinding {
        key: "hole live/2".into(),
        kind: AuditKind::Hole,
        projects: vec![ProjectId(3)],
        interval: Some(Interval::new(LIVE, 500, 5_500)),
        received: Some((NOW - HOUR, NOW - HOUR + 7_000)),
        count: Some(5_000),
        evidence: "the cursor passed offsets that have no outcome.".into(),
        found: NOW - 4_000,
    };
    let named = [
        "project shop (3)",
        "lane live, partition 2, offsets 500 to 5500",
        "received 2026-11-21 05:00:00 UTC to 2026-11-21 05:00:07 UTC",
        "5000 events",
    ];
    let found = one(Monitor::AuditorFindings, &Facts { audit: vec![hole.clone()], ..facts() }, &named);
    assert_eq!(
        (found.severity, found.since, found.key.as_str()),
        (Severity::Critical, NOW - 4_000, "hole live/2")
    );
    assert_eq!(found.affected[0].interval, hole.interval);
}

#[test]
fn catch_up() {
    let with = |age, drain, arrival| {
        let mut s = shard(LIVE, 432_000, age);
        (s.drain_per_s, s.arrival_per_s) = (Some(drain), Some(arrival));
        Facts { shards: vec![s], ..facts() }
    };
    let m = Monitor::CatchUp;
    assert_eq!(severities(m, &with(299_999, 0.0, 0.0)), []);
    let just_begun = Facts { shards: vec![shard(LIVE, 432_000, HOUR)], ..facts() };
    assert_eq!(severities(m, &just_begun), []);
    assert_eq!(one(m, &with(300_000, 0.0, 5.0), &["nothing is worked off"]).severity, Severity::Critical);
    one(m, &with(300_000, 50.0, 50.0), &["50 events/s are worked off, 50 arrive", "432000 events"]);
    assert_eq!(severities(m, &with(300_000, 50.0, 39.9)), []);
    assert_eq!(one(m, &with(300_000, 50.0, 40.0), &["12 h"]).severity, Severity::Warning);
}

#[test]
fn stuck_jobs() {
    let with = |state: &str, created, progressed| {
        let job = JobFacts {
            id: "j1".into(),
            kind: "replay".into(),
            state: state.into(),
            created: NOW - created,
            progressed: NOW - progressed,
            progress: Some(0.5),
            error: Some("log file missing".into()),
            project: Some(ProjectId(3)),
        };
        Facts { jobs: vec![job], ..facts() }
    };
    let m = Monitor::StuckJobs;
    assert_eq!(severities(m, &with("running", DAY, 15 * MINUTE - 1)), []);
    one(m, &with("running", DAY, 15 * MINUTE), &["j1 (replay)", "50 %"]);
    assert_eq!(severities(m, &with("queued", 2 * HOUR - 1, DAY)), []);
    one(m, &with("queued", 2 * HOUR, DAY), &["has waited"]);
    one(m, &with("failed", 0, 0), &["log file missing"]);
    assert_eq!(severities(m, &with("paused", DAY, DAY)), []);
}

#[test]
fn canary() {
    let with = |sent_ago: Millis, seen_ago: Option<Millis>| {
        let canary = CanaryFacts {
            sent: Some(NOW - sent_ago),
            seen: seen_ago.map(|a| NOW - a),
            error: Some("connection refused".into()),
            every_ms: 10_000,
        };
        Facts { canary: Some(canary), ..facts() }
    };
    let m = Monitor::Canary;
    assert_eq!(severities(m, &with(0, Some(129_999))), []);
    assert_eq!(one(m, &with(0, Some(130_000)), &["connection refused"]).component, Component::Processing);
    assert_eq!(severities(m, &with(129_999, Some(129_999))), []);
    assert_eq!(one(m, &with(130_000, Some(130_000)), &[]).component, Component::Collection);
    one(m, &with(0, None), &["no query has ever"]);
}

#[test]
fn settings() {
    let with = |declared: &str, effective: &str, experimental, environment: &str| {
        let setting = SettingFact {
            name: "retention".into(),
            scope: "lane live".into(),
            declared: declared.into(),
            effective: effective.into(),
            experimental,
        };
        Facts { settings: vec![setting], environment: environment.into(), ..facts() }
    };
    let m = Monitor::Settings;
    assert_eq!(severities(m, &with("7 days", "7 days", false, "production")), []);
    let found =
        one(m, &with("7 days", "20 min", false, "development"), &["lane live", "`7 days`", "`20 min`"]);
    assert_eq!(found.severity, Severity::Critical);
    assert_eq!(severities(m, &with("on", "on", true, "development")), [Severity::Info]);
    assert_eq!(severities(m, &with("on", "on", true, "production")), [Severity::Critical]);
}

#[test]
fn alert_delivery() {
    let with = |age| {
        let channel = ChannelFacts {
            channel: "pager".into(),
            failing_since: Some(NOW - age),
            error: Some("answered 500".into()),
            waiting: 3,
        };
        Facts { channels: vec![channel], ..facts() }
    };
    assert_eq!(severities(Monitor::AlertDelivery, &with(5 * MINUTE - 1)), []);
    one(Monitor::AlertDelivery, &with(5 * MINUTE), &["`pager`", "answered 500", "3 wait"]);
}

#[test]
fn the_worst_comes_first() {
    let mut f = facts();
    f.shards = vec![shard(LIVE, 5, 60_000)];
    f.projects[0].oldest_pending = Some(NOW - HOUR);
    let found = check(&f, &Thresholds::default());
    assert_eq!(found[0].severity, Severity::Critical);
    assert!(found.windows(2).all(|w| w[0].severity >= w[1].severity));
}
