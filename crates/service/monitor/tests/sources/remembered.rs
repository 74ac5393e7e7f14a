//! What is remembered, minute by minute.

use crate::{DAY, HOUR, MINUTE};
use tallymark_monitor::facts::OtherDays;
use tallymark_monitor::sources::Heard;

fn steady(minutes: std::ops::Range<i64>, each: u64) -> Heard {
    let mut heard = Heard::new(minutes.start * MINUTE);
    minutes.for_each(|minute| heard.hear(minute * MINUTE, each));
    heard
}

#[test]
fn what_is_usual_ends_with_the_last_event() {
    // Two hours of ten a minute, with a pause of four minutes in the second one.
    let mut heard = Heard::new(0);
    for minute in (0..120).filter(|m| !(80..84).contains(m)) {
        (0..10).for_each(|n| heard.hear(minute * MINUTE + n * 1_000, 1));
    }
    for now in [2 * HOUR + 10 * MINUTE, 20 * HOUR] {
        let v = heard.volume(now);
        assert_eq!((v.first, v.last, v.observed_ms), (0, 119 * MINUTE + 9_000, 119 * MINUTE + 9_000));
        assert_eq!((v.longest_pause_ms, v.recent), (4 * MINUTE, 0));
        assert!((v.usual_per_minute - 560.0 / 60.0).abs() < 1e-9, "{}", v.usual_per_minute);
        assert_eq!(v.extremes, Some((10, 50)), "one event in five of the pause's minutes");
    }
    assert_eq!(heard.volume(2 * HOUR).recent, 50);
    assert_eq!(heard.volume(2 * HOUR + 3 * MINUTE).recent, 20);
}

#[test]
fn the_last_minutes_are_not_part_of_what_they_are_compared_with() {
    let mut heard = steady(0..60, 10);
    (60..65).for_each(|minute| heard.hear(minute * MINUTE, 1_000));
    let v = heard.volume(65 * MINUTE);
    assert_eq!((v.usual_per_minute, v.recent, v.extremes), (10.0, 5_000, Some((50, 50))));
}

#[test]
fn a_young_source_is_known_to_be_young() {
    let heard = steady(7..9, 40);
    let v = heard.volume(9 * MINUTE);
    assert_eq!((v.observed_ms, v.usual_per_minute, v.recent, v.extremes), (MINUTE, 40.0, 80, None));
    assert_eq!(heard.minutes(9 * MINUTE, 4), [0, 40, 40, 0]);
}

#[test]
fn who_comes_back_after_hours_begins_anew_but_its_days_are_kept() {
    let mut heard = steady(0..60, 10);
    heard.hear(25 * HOUR, 10);
    heard.hear(25 * HOUR + MINUTE, 10);
    let v = heard.volume(25 * HOUR + 2 * MINUTE);
    assert_eq!((v.observed_ms, v.usual_per_minute, v.longest_pause_ms), (MINUTE, 10.0, 0));
    assert_eq!((v.first, v.other_days), (0, None), "its first hour was not seen whole");
}

#[test]
fn records_of_another_partition_may_be_older() {
    let mut heard = steady(10..20, 5);
    heard.hear(3 * MINUTE, 7);
    assert_eq!((heard.volume(20 * MINUTE).first, heard.last()), (3 * MINUTE, 19 * MINUTE));
    assert_eq!(heard.minutes(20 * MINUTE, 21).iter().sum::<u64>(), 57);
}

#[test]
fn memory_is_bounded_and_silence_wipes_nothing_out() {
    let mut heard = Heard::new(0);
    (0..30 * 1_440).for_each(|minute| heard.hear(minute * MINUTE, 1));
    let kept = serde_json::to_value(&heard).unwrap();
    let length = |what: &str| kept[what].as_object().unwrap().len();
    assert_eq!((length("minutes"), length("hours")), (95, 192));
    let days = heard.volume(40 * DAY + 12 * HOUR).other_days.unwrap();
    assert_eq!((days.low, days.high), (1.0, 1.0), "ten days later it is known what was usual");
    let stored = serde_json::to_string(&heard).unwrap();
    assert_eq!(serde_json::from_str::<Heard>(&stored).unwrap(), heard);
    assert!(stored.len() < 8_192, "{}", stored.len());
}

#[test]
fn other_days_are_the_middle_of_a_week_and_a_week_ago() {
    // At noon of day d it sends 60 * d an hour, and nothing else but one event in every other hour.
    let mut heard = Heard::new(0);
    for hour in 0..9 * 24 {
        let noon = (11..=13).contains(&(hour % 24));
        heard.hear(hour * HOUR, if noon { 60 * (hour as u64 / 24) } else { 60 });
    }
    let at = |day: i64, hour: i64| heard.volume(day * DAY + hour * HOUR).other_days.unwrap();
    let noon = at(9, 12);
    assert_eq!((noon.low, noon.high), (2.0, 5.0), "the week before has days 2 to 8; a week ago was day 2");
    assert_eq!(at(9, 3), OtherDays { low: 1.0, high: 1.0 });
}
