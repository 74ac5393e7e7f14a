//! Golden days: skipped midnights, 23- and 25-hour days, skipped dates, half-hour shifts.

use super::*;

fn calendar(zone: &str) -> Calendar {
    Calendar::new(zone, WeekStart::Monday).unwrap()
}

fn at(text: &str) -> Millis {
    parse_instant(text).unwrap()
}

fn labels(calendar: &Calendar, unit: Unit, from: &str, to: &str) -> Vec<String> {
    Buckets::covering(calendar, unit, at(from), at(to)).unwrap().labels(calendar, unit).unwrap()
}

#[test]
fn a_fall_back_day_has_25_hours_with_offsets_in_their_labels() {
    let c = calendar("America/New_York");
    let (from, to) =
        Range::Between { from: "2025-11-02".into(), to: "2025-11-02".into() }.resolve(&c, 0).unwrap();
    assert_eq!(to - from, 25 * 3_600_000);
    let buckets = Buckets::covering(&c, Unit::Hour, from, to).unwrap();
    assert_eq!(buckets.len(), 25);
    let labels = buckets.labels(&c, Unit::Hour).unwrap();
    assert_eq!(labels[1], "2025-11-02T01:00-04:00");
    assert_eq!(labels[2], "2025-11-02T01:00-05:00");
    assert_eq!(labels[24], "2025-11-02T23:00-05:00");
    assert_eq!(buckets.find(at("2025-11-02T05:59:59.999Z")), Some(1));
    assert_eq!(buckets.find(at("2025-11-02T06:00:00Z")), Some(2));
}

#[test]
fn a_spring_forward_day_has_23_hours() {
    let c = calendar("Europe/Berlin");
    let (from, to) =
        Range::Between { from: "2025-03-30".into(), to: "2025-03-30".into() }.resolve(&c, 0).unwrap();
    assert_eq!(from, at("2025-03-29T23:00:00Z"));
    assert_eq!(to - from, 23 * 3_600_000);
    assert_eq!(Buckets::covering(&c, Unit::Hour, from, to).unwrap().len(), 23);
}

#[test]
fn a_day_without_midnight_begins_at_its_first_instant() {
    // Cairo jumps from 24:00 on 24 April 2025 to 01:00 on the 25th.
    let c = calendar("Africa/Cairo");
    let start = c.day_start(Date::constant(2025, 4, 25)).unwrap();
    assert_eq!(start, at("2025-04-24T22:00:00Z"));
    assert_eq!(c.floor(Unit::Day, start - 1).unwrap(), at("2025-04-23T22:00:00Z"));
    assert_eq!(c.floor(Unit::Day, start).unwrap(), start);
    // São Paulo, 4 November 2018.
    let c = calendar("America/Sao_Paulo");
    assert_eq!(c.day_start(Date::constant(2018, 11, 4)).unwrap(), at("2018-11-04T03:00:00Z"));
}

#[test]
fn a_date_that_the_zone_skipped_has_no_bucket() {
    // Samoa went from 29 to 31 December 2011.
    let c = calendar("Pacific/Apia");
    assert_eq!(
        labels(&c, Unit::Day, "2011-12-29T12:00:00Z", "2012-01-01T09:00:00Z"),
        ["2011-12-29", "2011-12-31", "2012-01-01"]
    );
}

#[test]
fn a_shift_of_half_an_hour_cuts_an_hour_bucket() {
    // Lord Howe falls back from 02:00+11 to 01:30+10:30 on 6 April 2025 (15:00 UTC on the 5th).
    let c = calendar("Australia/Lord_Howe");
    assert_eq!(
        labels(&c, Unit::Hour, "2025-04-05T14:00:00Z", "2025-04-05T16:30:00Z"),
        ["2025-04-06T01:00+11:00", "2025-04-06T01:00+10:30", "2025-04-06T02:00+10:30"]
    );
}

#[test]
fn weeks_months_quarters_and_years_are_calendar_units() {
    let c = calendar("UTC");
    assert_eq!(
        labels(&c, Unit::Week, "2025-01-01T00:00:00Z", "2025-01-13T00:00:00Z"),
        ["2024-12-30", "2025-01-06"]
    );
    let sunday = Calendar::new("UTC", WeekStart::Sunday).unwrap();
    assert_eq!(
        labels(&sunday, Unit::Week, "2025-01-01T00:00:00Z", "2025-01-05T00:00:01Z"),
        ["2024-12-29", "2025-01-05"]
    );
    assert_eq!(
        labels(&c, Unit::Month, "2024-02-29T00:00:00Z", "2024-04-01T00:00:01Z"),
        ["2024-02-01", "2024-03-01", "2024-04-01"]
    );
    assert_eq!(
        labels(&c, Unit::Quarter, "2024-02-29T00:00:00Z", "2024-04-01T00:00:01Z"),
        ["2024-01-01", "2024-04-01"]
    );
    assert_eq!(
        labels(&c, Unit::Year, "2024-02-29T00:00:00Z", "2025-04-01T00:00:01Z"),
        ["2024-01-01", "2025-01-01"]
    );
}

#[test]
fn last_n_ends_with_the_bucket_of_as_of() {
    let c = calendar("Europe/Berlin");
    let last = |n, unit, exclude_current| {
        Range::Last { n, unit, exclude_current }.resolve(&c, at("2025-03-31T10:00:00Z")).unwrap()
    };
    assert_eq!(last(7, Unit::Day, false), (at("2025-03-24T23:00:00Z"), at("2025-03-31T22:00:00Z")));
    assert_eq!(last(1, Unit::Day, true), (at("2025-03-29T23:00:00Z"), at("2025-03-30T22:00:00Z")));
    assert_eq!(last(2, Unit::Month, false), (at("2025-01-31T23:00:00Z"), at("2025-03-31T22:00:00Z")));
}

#[test]
fn ranges_say_what_is_wrong() {
    let c = Calendar::utc();
    for (from, to) in [
        ("yesterday", "2025-01-01"),
        ("2025-01-02", "2025-01-01"),
        ("2025-01-01T99:00Z", "2025-01-02"),
        ("2025-13-01", "2025-13-02"),
    ] {
        let error = Range::Between { from: from.into(), to: to.into() }.resolve(&c, 0).unwrap_err();
        assert!(error.to_string().contains(from), "{error}");
    }
    assert!(
        Calendar::new("Mars/Olympus", WeekStart::Monday).unwrap_err().to_string().contains("Mars/Olympus")
    );
    assert!(Buckets::covering(&c, Unit::Minute, 0, i64::MAX / 4).is_err());
}

proptest::proptest! {
    /// The table finds the same bucket as looking at every boundary, and flooring agrees with the boundaries.
    #[test]
    fn lookup_agrees_with_the_boundaries(
        zone in proptest::sample::select(vec!["UTC", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu", "America/St_Johns"]),
        unit in proptest::sample::select(Unit::ALL.to_vec()),
        from in 1_000_000_000_000i64..1_760_000_000_000,
        units in 1i64..40,
        inside in 0.0f64..1.0,
    ) {
        let c = calendar(zone);
        let to = from + units * unit.millis() / 2 + 1;
        let buckets = Buckets::covering(&c, unit, from, to).unwrap();
        let t = from + ((to - from - 1) as f64 * inside) as i64;
        let found = buckets.find(t).unwrap();
        proptest::prop_assert!(buckets.start(found) <= t && t < buckets.end(found));
        proptest::prop_assert!(buckets.start(0) <= from && buckets.end(buckets.len() - 1) >= to);
        if unit >= Unit::Day {
            proptest::prop_assert_eq!(c.floor(unit, t).unwrap(), buckets.start(found));
        } else {
            proptest::prop_assert_eq!(c.label(unit, t).unwrap(), c.label(unit, buckets.start(found)).unwrap());
        }
    }
}
