//! Sources over hours, days and weeks, as events come and stay away; and the borders of every threshold.

use crate::{DAY, HOUR, MINUTE};
use tallymark_model::{Lane, Millis, ProjectId, ProjectToken};
use tallymark_monitor::checks::{SourceState, collecting_since, judge, source_state as state};
use tallymark_monitor::config::Thresholds;
use tallymark_monitor::facts::{OtherDays, ProjectFacts, RoleFacts, RoleState, Source, SourceFacts, Volume};
use tallymark_monitor::sources::Heard;
use tallymark_monitor::{Facts, Monitor, Severity, check};

/// A Saturday, 06:00 UTC.
const NOW: Millis = 1_795_240_800_000;

fn source(volume: Volume) -> SourceFacts {
    let token = ProjectToken([7; 16]);
    SourceFacts {
        source: Source {
            id: Source::id_of(token, Lane::Live, "PostHog", Some("posthog-python")),
            project: ProjectId(3),
            lane: Lane::Live,
            key: "web (wk_12345…)".to_owned(),
            protocol: "PostHog".to_owned(),
            library: Some("posthog-python".to_owned()),
            version: None,
        },
        watched: true,
        key_ended: false,
        found_silent: false,
        volume,
    }
}

/// Silent for so long, after an hour of so many events a minute with this pause.
fn quiet(quiet: Millis, usual_per_minute: f64, pause: Millis) -> SourceFacts {
    source(Volume {
        first: NOW - 2 * HOUR,
        last: NOW - quiet,
        observed_ms: HOUR,
        usual_per_minute,
        longest_pause_ms: pause,
        recent_ms: 5 * MINUTE,
        ..Volume::default()
    })
}

/// So many events in the last five minutes, where these per minute are usual.
fn volume(usual_per_minute: f64, recent: u64) -> SourceFacts {
    let mut source = quiet(1_000, usual_per_minute, 0);
    source.volume.recent = recent;
    source.volume.extremes = Some(((usual_per_minute * 4.0) as u64, (usual_per_minute * 6.0) as u64));
    source
}

fn facts(source: SourceFacts) -> Facts {
    let shop = ProjectFacts {
        project: ProjectId(3),
        name: "shop".to_owned(),
        watermark: NOW,
        pending: Some(0),
        oldest_pending: None,
    };
    Facts { at: NOW, projects: vec![shop], sources: vec![source], ..Facts::default() }
}

fn is(source: &SourceFacts) -> SourceState {
    state(source, NOW, Some(0), &Thresholds::default())
}

#[test]
fn silence_speaks_at_its_borders() {
    use SourceState::*;
    assert_eq!(is(&quiet(3 * MINUTE, 10.0, 0)), Silent);
    assert_eq!(is(&quiet(3 * MINUTE - 1, 10.0, 0)), AsUsual, "too short");
    assert_eq!(is(&quiet(3 * MINUTE, 6.0, 0)), AsUsual, "18 are too few to tell");
    assert_eq!(is(&quiet(29 * MINUTE, 20.0, 10 * MINUTE)), AsUsual, "it pauses like that");
    assert_eq!(is(&quiet(30 * MINUTE, 20.0, 10 * MINUTE)), Silent);
    assert_eq!(is(&quiet(4 * HOUR, 0.05, 0)), Quiet, "far too few to tell");
    let mut young = quiet(HOUR, 100.0, 0);
    young.volume.observed_ms = 15 * MINUTE - 1;
    assert_eq!(is(&young), Quiet, "nobody knows what is usual");
    young.volume.last = NOW - MINUTE;
    assert_eq!(is(&young), Learning);
}

#[test]
fn a_finding_names_project_source_and_since_when() {
    let facts = facts(quiet(4 * MINUTE, 10.0, 0));
    let found = check(&facts, &Thresholds::default());
    let [found] = found.as_slice() else { panic!("{found:?}") };
    for name in
        ["shop (3)", "PostHog posthog-python", "web (wk_12345…)", "10.0 events a minute", "05:56:00 UTC"]
    {
        assert!(found.detail.contains(name), "{name:?} is not in {:?}", found.detail);
    }
    assert!(!found.title.contains("shop") && !found.title.contains(char::is_numeric), "it may become public");
    assert_eq!((found.severity, found.since), (Severity::Warning, NOW - 4 * MINUTE));
    assert_eq!((found.projects.as_slice(), found.group()), (&[ProjectId(3)][..], "sources"));
}

#[test]
fn volume_speaks_at_its_borders() {
    use SourceState::*;
    assert_eq!(is(&volume(40.0, 40)), Less);
    assert_eq!(is(&volume(40.0, 41)), AsUsual);
    assert_eq!(is(&volume(12.0, 12)), Less, "60 are expected");
    assert_eq!(is(&volume(11.9, 11)), AsUsual, "59.5 are too few to tell");
    assert_eq!(is(&volume(40.0, 1_000)), More);
    assert_eq!(is(&volume(40.0, 999)), AsUsual);
    assert_eq!(is(&volume(1.0, 60)), More);
    assert_eq!(is(&volume(1.0, 59)), AsUsual, "too few to tell");
    // It sends in gusts: five minutes like that were seen in the hour before.
    for (recent, extremes) in [(40, (40, 240)), (1_000, (160, 1_000))] {
        let mut gusts = volume(40.0, recent);
        gusts.volume.extremes = Some(extremes);
        assert_eq!(is(&gusts), AsUsual);
        gusts.volume.extremes = None;
        assert_eq!(is(&gusts), AsUsual, "nothing to compare with");
    }
    let told = |source| check(&facts(source), &Thresholds::default()).remove(0);
    let (less, more) = (told(volume(40.0, 40)), told(volume(40.0, 1_000)));
    assert!(less.detail.contains("sent 40 events in the last 5 min, 0.20 times"), "{}", less.detail);
    assert!(more.detail.contains("5.00 times what is usual (40.0 a minute)"), "{}", more.detail);
    assert_eq!((less.severity, more.severity), (Severity::Warning, Severity::Warning));
}

#[test]
fn other_days_excuse_and_accuse() {
    use SourceState::*;
    let with = |mut source: SourceFacts, low, high| {
        source.volume.other_days = Some(OtherDays { low, high });
        source
    };
    // Every evening it ends like this.
    assert_eq!(is(&with(quiet(30 * MINUTE, 100.0, 0), 0.0, 100.0)), AsUsual);
    assert_eq!(is(&with(quiet(9 * HOUR, 100.0, 0), 0.0, 0.0)), Quiet);
    // In the morning it should have come back.
    assert_eq!(is(&with(quiet(9 * HOUR, 100.0, 0), 50.0, 100.0)), Silent);
    // Every morning it begins like this; at night nobody expects it.
    assert_eq!(is(&with(volume(2.0, 500), 20.0, 100.0)), AsUsual);
    assert_eq!(is(&with(volume(2.0, 500), 0.0, 1.0)), More);
    assert_eq!(is(&with(volume(100.0, 10), 1.0, 100.0)), AsUsual);
}

#[test]
fn time_in_which_nothing_was_collected_is_nobodys_silence() {
    let t = Thresholds::default();
    let silent = quiet(HOUR - 1, 10.0, 0);
    assert_eq!(state(&silent, NOW, None, &t), SourceState::AsUsual, "the collector is down");
    assert_eq!(state(&silent, NOW, Some(NOW - 3 * MINUTE + 1), &t), SourceState::AsUsual);
    assert_eq!(state(&silent, NOW, Some(NOW - 3 * MINUTE), &t), SourceState::Silent);
    let less = volume(40.0, 10);
    assert_eq!(state(&less, NOW, Some(NOW - 6 * MINUTE + 1), &t), SourceState::AsUsual);
    assert_eq!(state(&less, NOW, Some(NOW - 6 * MINUTE), &t), SourceState::Less);
    // What was silent before is so still: it has not sent.
    let found = SourceFacts { found_silent: true, ..silent };
    assert_eq!(state(&found, NOW, None, &t), SourceState::Silent);

    let role = |state, started| RoleFacts {
        role: "collect".to_owned(),
        state,
        beat: None,
        progressed: None,
        started,
        restarts_last_hour: 0,
    };
    let with = |role| collecting_since(&Facts { roles: vec![role], ..Facts::default() });
    assert_eq!(with(role(RoleState::Running, Some(5))), Some(5));
    assert_eq!(with(role(RoleState::Down, Some(5))), None);
    assert_eq!(collecting_since(&Facts::default()), Some(0));
}

#[test]
fn who_ends_on_purpose_alarms_nobody() {
    let silent = SourceFacts { found_silent: true, ..quiet(HOUR, 100.0, 0) };
    let mut import = silent.clone();
    import.source.lane = Lane::Bulk;
    let cases = [
        (SourceFacts { watched: false, ..silent.clone() }, SourceState::NotWatched),
        (SourceFacts { key_ended: true, ..silent.clone() }, SourceState::KeyEnded),
        (import, SourceState::Import),
    ];
    for (source, expected) in cases {
        assert_eq!(is(&source), expected);
        assert_eq!(check(&facts(source), &Thresholds::default()), []);
    }
    assert_eq!(check(&facts(silent), &Thresholds::default()).len(), 1);
}

#[test]
fn who_cannot_listen_does_not_hear_that_it_is_over() {
    let t = Thresholds::default();
    let before = check(&facts(quiet(HOUR, 100.0, 0)), &t);
    let none = || Facts { at: NOW, ..Facts::default() };
    let deaf = Facts { unavailable: vec![("sources".into(), "disk I/O error".into())], ..none() };
    assert!(judge(&deaf, &t, &before).iter().any(|f| f.monitor == Monitor::SourceSilent));
    assert!(judge(&none(), &t, &before).is_empty());
}

/// A source that sends `rate(minute)` events in every minute, watched every minute: when it was not as usual.
fn watched(from: Millis, to: Millis, rate: impl Fn(i64) -> u64) -> Vec<(Millis, SourceState)> {
    let (mut heard, mut silent_after, mut told) = (None::<Heard>, None, Vec::new());
    for minute in from / MINUTE..to / MINUTE {
        let (events, at) = (rate(minute), minute * MINUTE);
        if events > 0 {
            heard.get_or_insert_with(|| Heard::new(at)).hear(at, events);
        }
        let (Some(heard), now) = (&heard, at + MINUTE - 1) else { continue };
        let mut facts = source(heard.volume(now));
        facts.found_silent = silent_after == Some(heard.last());
        let state = state(&facts, now, Some(0), &Thresholds::default());
        silent_after = (state == SourceState::Silent).then(|| heard.last());
        if matches!(state, SourceState::Silent | SourceState::Less | SourceState::More) {
            told.push((at, state));
        }
    }
    told
}

/// The first moment of each run of one state.
fn begins(told: &[(Millis, SourceState)]) -> Vec<(Millis, SourceState)> {
    let new = |i: usize| i == 0 || told[i - 1].1 != told[i].1 || told[i].0 - told[i - 1].0 > MINUTE;
    (0..told.len()).filter(|i| new(*i)).map(|i| told[i]).collect()
}

/// Events a minute of an office: 9 to 18 on working days, after a Monday 00:00 that is time 0.
fn office(minute: i64) -> u64 {
    let (day, hour) = (minute / 1_440 % 7, minute / 60 % 24);
    if day < 5 && (9..18).contains(&hour) { 30 } else { 0 }
}

#[test]
fn nights_and_weekends_are_learnt_once_and_an_outage_is_noticed_all_the_same() {
    // Three weeks. In the third, nothing comes on Wednesday from 11:00 to 15:00.
    let outage = 16 * DAY + 11 * HOUR..16 * DAY + 15 * HOUR;
    let rate = |minute: i64| if outage.contains(&(minute * MINUTE)) { 0 } else { office(minute) };
    let told = begins(&watched(0, 21 * DAY, rate));
    // The first evening and the first weekend could not be known.
    let (first_week, later): (Vec<_>, Vec<_>) = told.into_iter().partition(|(at, _)| *at < 7 * DAY);
    assert!(first_week.len() <= 2 && !first_week.is_empty(), "{first_week:?}");
    assert_eq!(later, [(outage.start + 2 * MINUTE, SourceState::Silent)]);
    // And again a day after: one bad day does not make silence usual.
    let again = outage.start + DAY..outage.end + DAY;
    let rate = |minute: i64| if again.contains(&(minute * MINUTE)) { 0 } else { rate(minute) };
    let told = begins(&watched(0, 18 * DAY, rate));
    assert_eq!(told.last(), Some(&(again.start + 2 * MINUTE, SourceState::Silent)));
}

#[test]
fn silence_lasts_until_the_source_is_back_also_over_night() {
    let down = 16 * DAY + 11 * HOUR;
    let back = 17 * DAY + 10 * HOUR;
    let rate = |minute: i64| if (down..back).contains(&(minute * MINUTE)) { 0 } else { office(minute) };
    let told: Vec<_> = watched(0, 18 * DAY, rate).into_iter().filter(|(at, _)| *at >= down).collect();
    assert_eq!(begins(&told), [(down + 2 * MINUTE, SourceState::Silent)]);
    assert_eq!(told.last().map(|(at, _)| *at), Some(back - MINUTE));
}

#[test]
fn a_morning_on_which_it_does_not_come_is_noticed() {
    let rate = |minute: i64| if minute * MINUTE >= 16 * DAY { 0 } else { office(minute) };
    let told = begins(&watched(0, 17 * DAY, rate));
    let (at, state) = told.last().copied().unwrap();
    assert_eq!(state, SourceState::Silent);
    assert!((16 * DAY + 9 * HOUR..=16 * DAY + 10 * HOUR + MINUTE).contains(&at), "{}", at - 16 * DAY);
}

#[test]
fn jobs_and_gusts_are_no_alarm() {
    // Every ten minutes, every forty, every two hours, once a day: hundreds of events in one minute each.
    for every in [10, 40, 120, 1_440] {
        let told = watched(0, 10 * DAY, |minute| if minute % every == 0 { 500 } else { 0 });
        assert_eq!(told, [], "every {every} minutes");
    }
    // Whoever tries it out for ten minutes now and then was never regular.
    let tried = |minute: i64| if minute % 700 < 10 { 8 } else { 0 };
    assert_eq!(watched(0, 10 * DAY, tried), []);
}

#[test]
fn a_job_that_stops_and_a_loop_that_begins_are_noticed() {
    let stop = 5 * HOUR;
    let told =
        watched(0, 8 * HOUR, |minute| if minute % 10 == 0 && minute * MINUTE < stop { 500 } else { 0 });
    let (at, state) = told[0];
    assert_eq!(state, SourceState::Silent);
    let last = stop - 10 * MINUTE;
    assert_eq!(at - last, 27 * MINUTE, "three pauses of nine minutes");

    // News for half an hour, usual after it.
    for (before, after, state) in [(20, 200, SourceState::More), (100, 10, SourceState::Less)] {
        let told = watched(0, 8 * HOUR, |minute| if minute * MINUTE < stop { before } else { after });
        let [(at, first)] = begins(&told)[..] else { panic!("{told:?}") };
        assert_eq!(first, state);
        assert!((2 * MINUTE..=5 * MINUTE).contains(&(at - stop)), "{}", at - stop);
        let length = told.len() as i64 * MINUTE;
        assert!((30 * MINUTE..=90 * MINUTE).contains(&length), "{length}");
    }
}
