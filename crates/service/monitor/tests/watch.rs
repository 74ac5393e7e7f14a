//! The watch as a whole, over a real database file: how soon it speaks, what the page says, what it remembers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use instance::{Instance, LIVE, MINUTE, START, shard};
use std::sync::Arc;
use tallymark_ledger::Interval;
use tallymark_model::{Lane, Millis, ProjectId};
use tallymark_monitor::config::PublicConfig;
use tallymark_monitor::eta::EtaAnswer;
use tallymark_monitor::facts::{AuditFinding, AuditKind, ResourceFacts, ResourceKind, RoleFacts, RoleState};
use tallymark_monitor::status::{ComponentState, Indicator, LossAnswer, StatusPage};
use tallymark_monitor::store::{CareKind, CareResult};
use tallymark_monitor::{
    Component, FactSource, Facts, Monitor, Severity, WatchConfig, WatchDeps, WatchStore, run,
};
use tokio_util::sync::CancellationToken;

const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

async fn page(i: &Instance) -> StatusPage {
    StatusPage::load(&i.store, &i.config.public, i.now()).await.unwrap()
}

fn state(page: &StatusPage, component: Component) -> ComponentState {
    page.components.iter().find(|c| c.id == component.slug()).unwrap().state
}

fn hole(i: &Instance) -> AuditFinding {
    AuditFinding {
        key: "hole live/0".to_owned(),
        kind: AuditKind::Hole,
        projects: vec![ProjectId(7)],
        interval: Some(Interval::new(LIVE, 500, 5_500)),
        received: Some((i.now() - HOUR, i.now() - HOUR + 9_000)),
        count: Some(5_000),
        evidence: "the cursor passed offsets that have no outcome".to_owned(),
        found: i.now(),
    }
}

/// A19-3, as far as the watch is concerned: the round after the report names everything.
#[tokio::test]
async fn conflicts_are_counted_once_however_often_they_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = tallymark_monitor::WatchStore::open(&dir.path().join("watch.db")).await.unwrap();
    let (shop, blog) = (tallymark_model::ProjectId(1), tallymark_model::ProjectId(2));
    for _ in 0..2 {
        store.note_conflicts(7, &[(shop, 3_600_000, 2), (shop, 7_200_000, 1), (blog, 0, 9)]).await.unwrap();
    }
    store.note_conflicts(8, &[(shop, 7_200_000, 4)]).await.unwrap();
    assert_eq!(store.conflicts(shop, 10).await.unwrap(), [(7_200_000, 5), (3_600_000, 2)]);
    assert_eq!(store.conflicts(shop, 1).await.unwrap(), [(7_200_000, 5)]);
    assert_eq!(store.conflicts_in_all(Some(shop)).await.unwrap(), 7);
    assert_eq!(store.conflicts_in_all(None).await.unwrap(), 16);
}

#[tokio::test]
async fn a_reported_hole_is_an_incident_in_the_next_round_and_the_page_claims_nothing() {
    let mut i = Instance::start(WatchConfig::default()).await;
    i.well();
    i.round().await;
    assert!(page(&i).await.loss_sentence.starts_with("No data was lost"));
    i.store.report_finding(&hole(&i)).await.unwrap();
    i.clock.advance(5_000);
    i.round().await;
    let incident = i.store.incidents(1).await.unwrap().remove(0);
    let affected = &incident.affected()[0];
    assert_eq!((affected.interval, affected.count), (Some(Interval::new(LIVE, 500, 5_500)), Some(5_000)));
    assert_eq!((incident.projects(), incident.severity), (vec![ProjectId(7)], Severity::Critical));
    for named in
        ["project 7", "lane live, partition 0, offsets 500 to 5500", "5000 events", "2026-11-21 05:00:00"]
    {
        assert!(incident.updates[0].text.contains(named), "{named} in {}", incident.updates[0].text);
    }
    let shown = page(&i).await;
    assert!(matches!(shown.loss, LossAnswer::Unknown { .. }), "{}", shown.loss_sentence);
    assert!(!shown.loss_sentence.contains("No data was lost"));
    assert_eq!(state(&shown, Component::Lane(Lane::Live)), ComponentState::PartialOutage);
    // Reported again, it is the same; healed, it ends.
    i.clock.advance(MINUTE);
    i.store.report_finding(&AuditFinding { found: i.now(), ..hole(&i) }).await.unwrap();
    assert_eq!(i.store.reported().await.unwrap()[0].found, START);
    assert!(i.store.resolve_finding("hole live/0").await.unwrap());
    assert!(!i.store.resolve_finding("hole live/0").await.unwrap());
    i.well();
    i.pass(10 * MINUTE).await;
    assert!(!i.store.incidents(1).await.unwrap()[0].is_open());
    assert!(page(&i).await.loss_sentence.starts_with("No data was lost"));
}

/// A19-10: the monitor is itself monitored.
#[tokio::test]
async fn a_dead_auditor_is_an_alarm_within_two_minutes() {
    let mut i = Instance::start(WatchConfig::default()).await;
    i.well();
    let died = i.now();
    i.set(|f| {
        f.roles = vec![RoleFacts {
            role: "audit".to_owned(),
            state: RoleState::Running,
            beat: Some(died),
            progressed: Some(died),
            started: Some(died - DAY),
            restarts_last_hour: 0,
        }];
    });
    while i.store.incidents(1).await.unwrap().is_empty() {
        i.pass(5_000).await;
        assert!(i.now() - died <= 2 * MINUTE, "no alarm yet");
    }
    let shown = page(&i).await;
    assert_eq!(state(&shown, Component::Auditor), ComponentState::PartialOutage);
    assert!(shown.loss_sentence.contains("unknown: the auditor does not run"), "{}", shown.loss_sentence);
}

/// H15-1 and O11: every kind of thing that ends, filled at a steady rate, in eighth of an hour steps.
#[tokio::test]
async fn what_runs_out_is_told_more_than_seven_days_before() {
    let mut i = Instance::start(WatchConfig::default()).await;
    // Used up in fifteen days from now.
    let kinds = [
        ResourceKind::DiskBytes,
        ResourceKind::Inodes,
        ResourceKind::FileDescriptors,
        ResourceKind::MemoryBytes,
        ResourceKind::Sequence,
        ResourceKind::SubjectNumbers,
        ResourceKind::Offsets,
        ResourceKind::Connections,
    ];
    let mut told: Vec<Option<Millis>> = vec![None; kinds.len()];
    while i.now() < START + 15 * DAY && told.iter().any(Option::is_none) {
        i.clock.advance(10 * MINUTE);
        let now = i.now();
        let share = (now - START) as f64 / (15 * DAY) as f64;
        i.set(|f| {
            let resources = kinds.iter().map(|k| ResourceFacts::new(*k, "thing", 0.4e9 + 0.6e9 * share, 1e9));
            f.resources = resources.collect();
        });
        let found = i.watch.round().await.unwrap();
        for (told, kind) in told.iter_mut().zip(kinds) {
            let key = ResourceFacts::new(kind, "thing", 0.0, 1.0).series();
            let warned = found.iter().any(|f| f.key == key && f.severity >= Severity::Warning);
            *told = told.or(warned.then_some(now));
        }
    }
    for (at, kind) in told.into_iter().zip(kinds) {
        let days_before = (START + 15 * DAY - at.unwrap()) as f64 / DAY as f64;
        // Space of a disk is forecast by `disk-days-left`, by its own facts.
        let wanted = if kind == ResourceKind::DiskBytes { 2.0 } else { 7.0 };
        assert!(days_before >= wanted, "{kind:?}: {days_before:.1} days before");
        assert!(days_before < 12.0, "{kind:?}: cried wolf {days_before:.1} days before");
    }
}

#[tokio::test]
async fn the_page_shows_a_backlog_its_end_and_how_wrong_that_was() {
    let mut i = Instance::start(WatchConfig::default()).await;
    i.well();
    i.round().await;
    // An hour of events at 100 a second waits; 1,100 a second are worked off.
    let begun = i.now();
    let (mut cursor, mut end) = (0u64, 360_000u64);
    let mut minute_two = None;
    while cursor + 100 * 20 < end {
        i.clock.advance(5_000);
        (cursor, end) = ((cursor + 5_500).min(end), end + 500);
        let (now, pending) = (i.now(), end - cursor);
        let oldest = now - pending as Millis * 10;
        i.set(|f| f.shards = vec![shard(LIVE, cursor, end, Some(oldest))]);
        i.round().await;
        if now == begun + 2 * MINUTE {
            minute_two = page(&i).await.eta.pop();
        }
    }
    let drained = i.now();
    let eta = minute_two.unwrap();
    let (low, middle, high) = eta.ends_at.unwrap();
    assert!(low <= drained && drained <= high, "{low} {middle} {high}, in truth {drained}");
    assert_eq!((eta.lane, eta.backlog), (Lane::Live, None));
    let snapshot = i.store.snapshot().await.unwrap().unwrap();
    assert!(snapshot.eta.is_empty() || matches!(snapshot.eta[0].worst.answer, EtaAnswer::Ends { .. }));
    let run = i.store.eta_runs(5).await.unwrap().remove(0);
    assert_eq!(run.drained_at, Some(drained));
    assert!(run.points.len() >= 5, "{} points", run.points.len());
    assert!(run.points.iter().filter(|p| p.ends_at.is_some()).all(|p| p.error.is_some()));
    let error = run.points.iter().rev().find_map(|p| p.error).unwrap();
    assert!(error.abs() <= 0.2, "{error}");
    assert_eq!(page(&i).await.eta_history[0].drained_at, Some(drained));
}

#[tokio::test]
async fn a_restart_goes_on_with_what_was_open() {
    let mut i = Instance::start(WatchConfig::default()).await;
    let late = i.now() - 10 * MINUTE;
    i.set(|f| f.shards = vec![shard(LIVE, 0, 1_000, Some(late))]);
    i.pass(2 * MINUTE).await;
    i.restart().await;
    i.pass(2 * MINUTE).await;
    assert_eq!(i.store.incidents(10).await.unwrap().len(), 1);
    assert_eq!(i.store.eta_runs(10).await.unwrap().len(), 1);
    let since = i.store.snapshot().await.unwrap().unwrap().components[1].since;
    assert_eq!(since, START + 5_000);
}

/// A16-15: the page turns by itself within two minutes.
#[tokio::test]
async fn the_page_turns_by_itself_and_counts_the_time() {
    let mut i = Instance::start(WatchConfig::default()).await;
    i.well();
    i.pass(10 * MINUTE).await;
    let shown = page(&i).await;
    assert_eq!((shown.indicator, shown.description.as_str()), (Indicator::None, "All Systems Operational"));
    let began = i.now();
    while page(&i).await.indicator == Indicator::None {
        i.clock.advance(5_000);
        i.late(i.now() - began);
        i.round().await;
        assert!(i.now() - began <= 2 * MINUTE);
    }
    i.late(10 * MINUTE);
    i.pass(10 * MINUTE).await;
    assert_eq!(state(&page(&i).await, Component::Processing), ComponentState::PartialOutage);
    i.well();
    i.round().await;
    assert_eq!(state(&page(&i).await, Component::Processing), ComponentState::Operational);
    let uptime =
        |page: &StatusPage, slug| page.components.iter().find(|c| c.id == slug).unwrap().uptime.share;
    let shown = page(&i).await;
    assert_eq!(uptime(&shown, "collection"), Some(1.0));
    let processing = uptime(&shown, "processing").unwrap();
    assert!((0.80..0.90).contains(&processing), "{processing}");
}

#[tokio::test]
async fn a_silent_watch_is_not_a_good_sign() {
    let mut i = Instance::start(WatchConfig::default()).await;
    let before = page(&i).await;
    assert!(before.stale && before.description.starts_with("Status Unknown"), "{}", before.description);
    i.well();
    i.round().await;
    assert!(!page(&i).await.stale);
    i.clock.advance(MINUTE + 1);
    let shown = page(&i).await;
    assert!(shown.stale && shown.indicator > Indicator::None, "{shown:?}");
    assert_eq!(shown.loss_sentence, "Whether data was lost is unknown: the watch is silent.");
}

/// S44: by default no project and no count is public, in none of the forms.
#[tokio::test]
async fn the_public_page_names_nobody_unless_it_is_told_to() {
    use tallymark_monitor::status::*;
    let mut i = Instance::start(WatchConfig::default()).await;
    i.well();
    i.late(10 * MINUTE);
    let old = i.now() - HOUR;
    i.set(|f| f.shards = vec![shard(LIVE, 0, 987_654, Some(old))]);
    i.store.report_finding(&AuditFinding { count: Some(55_555), ..hole(&i) }).await.unwrap();
    i.pass(2 * MINUTE).await;
    let shown = page(&i).await;
    let forms = [
        serde_json::to_string(&shown).unwrap(),
        summary(&shown).to_string(),
        incidents(&shown).to_string(),
        rss(&shown),
        atom(&shown),
    ];
    for form in &forms {
        for secret in ["topsecret", "987654", "55555", "1234567", "4711", "\"projects\":[7]"] {
            assert!(!form.contains(secret), "{secret} in {form}");
        }
        assert!(form.contains("Data is late"), "{form}");
    }
    let open = PublicConfig { show_projects: true, show_counts: true, ..PublicConfig::default() };
    let shown = StatusPage::load(&i.store, &open, i.now()).await.unwrap();
    let hole = shown.incidents.iter().find(|i| i.title == "Events without an outcome").unwrap();
    assert_eq!((hole.projects.as_slice(), hole.events), (&[ProjectId(7)][..], Some(55_555)));
}

#[tokio::test]
async fn results_of_care_are_kept() {
    let i = Instance::start(WatchConfig::default()).await;
    for (at, ok) in [(1, true), (2, false)] {
        let report = serde_json::json!({"bytes": 7});
        i.store.record_care(&CareResult { kind: CareKind::Backup, at, ok, report }).await.unwrap();
    }
    let kept = i.store.care(CareKind::Backup, 10).await.unwrap();
    assert_eq!(kept.iter().map(|c| (c.at, c.ok)).collect::<Vec<_>>(), [(2, false), (1, true)]);
    assert_eq!(i.store.last_good_care(CareKind::Backup).await.unwrap(), Some(1));
    assert_eq!(i.store.last_good_care(CareKind::Rehearsal).await.unwrap(), None);
}

#[tokio::test]
async fn samples_are_thinned_and_bounded() {
    let i = Instance::start(WatchConfig::default()).await;
    for minute in 0..(4 * 60) {
        let values = [("a".to_owned(), minute as f64)];
        i.store.add_samples(START + minute * MINUTE, &values).await.unwrap();
        i.store.add_samples(START + minute * MINUTE + 30_000, &[("a".to_owned(), -1.0)]).await.unwrap();
    }
    i.store.thin_samples(START + 4 * HOUR).await.unwrap();
    let kept = i.store.samples(0).await.unwrap().remove("a").unwrap();
    // Every ten minutes of the first hour, every minute of the other three.
    assert_eq!(kept.len(), 6 + 180);
    assert!(kept.iter().all(|(at, value)| *value == ((at - START) / MINUTE) as f64));
    i.store.thin_samples(START + 70 * DAY).await.unwrap();
    assert!(i.store.samples(0).await.unwrap().is_empty());
    let many: Vec<(String, f64)> = (0..1_200).map(|n| (format!("s{n}"), 0.0)).collect();
    i.store.add_samples(START, &many).await.unwrap();
    assert_eq!(i.store.samples(0).await.unwrap().len(), 500);
}

struct Stuck;

#[async_trait::async_trait]
impl FactSource for Stuck {
    async fn facts(&self) -> Facts {
        std::future::pending().await
    }
}

#[tokio::test]
async fn facts_that_do_not_come_are_a_finding_and_the_loop_ends_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = WatchStore::open(&folder.path().join("watch.db")).await.unwrap();
    let stop = CancellationToken::new();
    let facts_timeout = std::time::Duration::from_millis(20);
    let deps = WatchDeps { facts_timeout, ..WatchDeps::new(store.clone(), Arc::new(Stuck)) };
    let mut config = WatchConfig::default();
    config.thresholds.start_grace_s = 0.0;
    let watching = tokio::spawn(run(deps, config, stop.clone()));
    let found = loop {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        if let Some(snapshot) = store.snapshot().await.unwrap() {
            break snapshot.findings;
        }
    };
    assert_eq!(found[0].monitor, Monitor::BlindSpot);
    stop.cancel();
    watching.await.unwrap().unwrap();
}

/// A16-21: range, counts and timeline without hand work.
#[tokio::test]
async fn a_report_is_drafted_from_what_was_recorded() {
    let mut i = Instance::start(WatchConfig::default()).await;
    i.well();
    i.store.report_finding(&hole(&i)).await.unwrap();
    i.pass(MINUTE).await;
    let id = i.store.incidents(1).await.unwrap()[0].id.clone();
    i.store.acknowledge(&id, "ada", "replaying", i.now()).await.unwrap();
    i.store.resolve_finding("hole live/0").await.unwrap();
    i.well();
    i.pass(20 * MINUTE).await;
    let report = tallymark_monitor::status::report(&i.store, &id, i.now()).await.unwrap().unwrap();
    for named in [
        "# Events without an outcome",
        "- Projects: 7",
        "- live/0[500,5500), received 2026-11-21 05:00:00 UTC to 2026-11-21 05:00:09 UTC, 5000 events",
        "- Acknowledged by ada after 55 s.",
        "identified (ada): ada is looking at it. replaying",
        "resolved (watch): Resolved: quiet for",
        "No data was lost: 1234567 events",
        "## Cause and what we change",
    ] {
        assert!(report.contains(named), "{named:?} in {report}");
    }
    assert_eq!(tallymark_monitor::status::report(&i.store, "nothing", 0).await.unwrap(), None);
}

#[tokio::test]
async fn an_incident_does_not_end_in_the_dark() {
    let mut i = Instance::start(WatchConfig::default()).await;
    i.well();
    i.late(10 * MINUTE);
    i.pass(MINUTE).await;
    i.set(|f| {
        *f = Facts {
            unavailable: vec![("catalog".to_owned(), "disk I/O error".to_owned())],
            ..Facts::default()
        };
    });
    i.pass(10 * MINUTE).await;
    i.restart().await;
    i.pass(50 * MINUTE).await;
    let processing = |i: &Instance| {
        let store = i.store.clone();
        async move {
            let all = store.incidents(10).await.unwrap();
            all.into_iter().find(|i| i.group == "processing").unwrap()
        }
    };
    assert!(processing(&i).await.quiet_since.is_none());
    assert_eq!(state(&page(&i).await, Component::Processing), ComponentState::PartialOutage);
    i.well();
    i.pass(60 * MINUTE).await;
    assert!(!processing(&i).await.is_open());
}

#[tokio::test]
async fn a_start_is_no_blind_spot() {
    let mut i = Instance::start(WatchConfig::default()).await;
    let silent = RoleFacts {
        role: "process".to_owned(),
        state: RoleState::Starting,
        beat: None,
        progressed: None,
        started: None,
        restarts_last_hour: 0,
    };
    i.set(|f| {
        f.unavailable = vec![("catalog".to_owned(), "does not exist yet".to_owned())];
        f.roles = vec![silent];
    });
    i.pass(MINUTE - 5_000).await;
    assert_eq!(page(&i).await.indicator, Indicator::None);
    assert!(i.store.incidents(1).await.unwrap().is_empty());
    i.pass(10_000).await;
    assert_eq!(page(&i).await.indicator, Indicator::Major);
}
