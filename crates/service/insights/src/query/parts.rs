//! Parts that several query types share: ranges, durations, conditions, selectors, breakdowns, actors.

use super::reader::{Reader, kind};
use crate::Error;
use serde_json::Value;
use std::collections::BTreeSet;
use tallymark_model::{Millis, canonical_text, number_of};
use tallymark_predicate::{Condition, Expr, PropertyRef, Scope, instant_of};
use tallymark_query::{Folding, Range, Unit, WeekStart};

/// Longest duration of a window: 366 days.
const WINDOW_MAX_MS: Millis = 366 * 86_400_000;

/// Keys every query type has.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub range: Range,
    pub as_of: Option<Millis>,
    pub segment: Option<Expr>,
    pub count_by: CountBy,
    /// The number whose actors are asked for.
    pub microscope: Option<Value>,
    /// First day of weeks, if it is not the project's.
    pub week_start: Option<WeekStart>,
    /// Divisions by zero give 0 instead of null (chapter 1.8).
    pub div_zero: bool,
    /// The range is widened to whole buckets of this unit (`edge: "expand"`).
    pub widen_to: Option<Unit>,
    /// Which events of a funnel or retention `segment` holds for (chapter 1.6).
    pub segment_scope: SegmentScope,
    /// Empty text is a value like others (chapter 1.3), also in conditions.
    pub empty_is_value: bool,
    /// `user_props` and `merge_props` (chapter 1.4).
    pub folding: Folding,
}

/// Which events of a funnel or retention `segment` holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SegmentScope {
    /// Step 1 of a funnel, the start of retention.
    First,
    /// Every step and side.
    All,
    /// The attempt that counts: each property has its first value along the matched events.
    Attempt,
}

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CountBy {
    Person,
    /// No later merges.
    PersonAtIngest,
    Device,
    Group(String),
    Property(PropertyRef),
}

/// Which events, by name and condition.
#[derive(Debug, Clone)]
pub(crate) struct SelectorSpec {
    pub names: NamesSpec,
    pub filter: Option<Expr>,
    pub nth: Option<NthSpec>,
}

/// The actor's k-th event ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NthSpec {
    pub k: u32,
    /// Events are counted by name alone; else by name and condition.
    pub of_event: bool,
}

/// Which names; `$active` depends on the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NamesSpec {
    Any,
    Active,
    Of(BTreeSet<String>),
}

/// One dimension of a breakdown.
#[derive(Debug, Clone)]
pub(crate) struct BreakdownSpec {
    pub property: PropertyRef,
    pub bins: Option<Vec<f64>>,
    /// Every element of a list counts, also one that is there already.
    pub all_items: bool,
    /// The value is that of another event of the actor.
    pub attribution: Option<AttributionSpec>,
}

/// Whose value an event is broken down by: the first or last touch event of its actor (chapter 1.7).
#[derive(Debug, Clone)]
pub(crate) struct AttributionSpec {
    pub last: bool,
    pub touch: SelectorSpec,
    pub lookback: Millis,
}

impl Common {
    /// Reads the common keys and refuses the options of the language that no query type computes yet.
    pub fn read(query: &Reader<'_>) -> Result<Common, Error> {
        let hint = r#"{"from":"2025-01-01","to":"2025-01-31"} or {"last":30,"unit":"day"}"#;
        if query.get("range").is_none() {
            return Err(query.missing("range", hint));
        }
        Common::read_or(query, always())
    }

    /// The same for types that may go without a range.
    pub fn read_or(query: &Reader<'_>, without: Range) -> Result<Common, Error> {
        query.get("type");
        // Answers are exact also where an approximation would do; the envelope says so.
        query.flag("approx")?;
        Ok(Common {
            range: range(query)?.unwrap_or(without),
            as_of: as_of(query)?,
            segment: condition(query, "segment")?,
            count_by: count_by(query)?,
            microscope: query.get("microscope").cloned(),
            week_start: query
                .choice("week_start", &[("monday", WeekStart::Monday), ("sunday", WeekStart::Sunday)])?,
            div_zero: query.integer("div_zero", 0, 0)?.is_some(),
            widen_to: widen_to(query)?,
            segment_scope: segment_scope(query)?,
            // Conditions say it for themselves: it was written into each of them (`preset`).
            empty_is_value: query
                .choice("empty_string", &[("none", false), ("value", true)])?
                .unwrap_or(false),
            folding: Folding {
                ingest_order: query
                    .choice("user_props", &[("as_of", false), ("ingest_order", true)])?
                    .unwrap_or(false),
                target_wins: query
                    .choice("merge_props", &[("timeline", false), ("target_wins", true)])?
                    .unwrap_or(false),
            },
        })
    }
}

fn segment_scope(query: &Reader<'_>) -> Result<SegmentScope, Error> {
    let choices =
        [("first", SegmentScope::First), ("all", SegmentScope::All), ("attribution", SegmentScope::Attempt)];
    let found = query.choice("segment_scope", &choices)?.unwrap_or(SegmentScope::First);
    if found == SegmentScope::Attempt && query.peek("type").is_none_or(|kind| kind != "funnel") {
        let why = "takes its values from the events of an attempt, which only funnels have";
        return Err(Error::combination("segment_scope", "`attribution`", why));
    }
    Ok(found)
}

/// `edge`: to whole buckets of the query's `interval`, which each type reads for itself.
fn widen_to(query: &Reader<'_>) -> Result<Option<Unit>, Error> {
    let expand = query.choice("edge", &[("clip", false), ("expand", true)])?.unwrap_or(false);
    Ok(match query.peek("interval").and_then(Value::as_str) {
        _ if !expand => None,
        Some("none") => None,
        Some(name) => Unit::from_name(name),
        None => Some(Unit::Day),
    })
}

fn range(query: &Reader<'_>) -> Result<Option<Range>, Error> {
    let hint = r#"{"from":"2025-01-01","to":"2025-01-31"} or {"last":30,"unit":"day"}"#;
    let Some(value) = query.get("range") else { return Ok(None) };
    let range = Reader::new(value, "range")?;
    let last = range.integer("last", 1, 100_000)?;
    let found = match last {
        Some(n) => {
            let unit = range.choice("unit", &units())?.ok_or_else(|| range.missing("unit", hint))?;
            let exclude_current = range.flag("exclude_current")?.unwrap_or(false);
            Range::Last { n: n as u32, unit, exclude_current }
        }
        None => {
            let text = |key| range.text(key)?.map(str::to_owned).ok_or_else(|| range.missing(key, hint));
            Range::Between { from: text("from")?, to: text("to")? }
        }
    };
    range.finish()?;
    Ok(Some(found))
}

/// The range of queries that need none.
pub(crate) fn always() -> Range {
    let text = |year: &str| format!("{year}-01-01T00:00:00Z");
    Range::Between { from: text("1900"), to: text("9000") }
}

fn as_of(query: &Reader<'_>) -> Result<Option<Millis>, Error> {
    let Some(value) = query.get("as_of") else { return Ok(None) };
    let hint = "an instant such as 2025-03-01T00:00:00Z, or epoch seconds or milliseconds";
    match instant_of(value).filter(|t| t.abs() < 1e15) {
        Some(ms) => Ok(Some(ms.floor() as Millis)),
        None => Err(query.wrong("as_of", format!("{value} is not an instant"), hint)),
    }
}

fn count_by(query: &Reader<'_>) -> Result<CountBy, Error> {
    let Some(text) = query.text("count_by")? else { return Ok(CountBy::Person) };
    let property = |scope, path: &str| Ok(CountBy::Property(PropertyRef { scope, path: path.to_owned() }));
    match text {
        "person" => Ok(CountBy::Person),
        "device" => Ok(CountBy::Device),
        "person_at_ingest" => Ok(CountBy::PersonAtIngest),
        _ => match (text.strip_prefix("event."), text.strip_prefix("user."), text.strip_prefix("group:")) {
            (Some(path), ..) if !path.is_empty() => property(Scope::Event, path),
            (_, Some(path), _) if !path.is_empty() => property(Scope::User, path),
            (.., Some(kind)) if !kind.is_empty() => Ok(CountBy::Group(kind.to_owned())),
            _ => Err(query.wrong(
                "count_by",
                format!("{text:?} is not known"),
                "use person, device, group:<type>, event.<property> or user.<property>",
            )),
        },
    }
}

/// Names of units for [`Reader::choice`].
pub(crate) fn units() -> Vec<(&'static str, Unit)> {
    Unit::ALL.into_iter().map(|u| (u.name(), u)).collect()
}

/// `interval` of charts: a unit, or `none` for one bucket.
pub(crate) fn interval(query: &Reader<'_>, default: Unit) -> Result<Option<Unit>, Error> {
    let mut choices: Vec<(&str, Option<Unit>)> = units().into_iter().map(|(n, u)| (n, Some(u))).collect();
    choices.push(("none", None));
    Ok(query.choice("interval", &choices)?.unwrap_or(Some(default)))
}

/// A duration `{"n","unit"}`: elapsed time.
pub(crate) fn duration(query: &Reader<'_>, key: &'static str) -> Result<Option<Millis>, Error> {
    let Some(value) = query.get(key) else { return Ok(None) };
    let hint = r#"{"n":7,"unit":"day"}, at most 366 days"#;
    let duration = Reader::new(value, &query.at(key))?;
    let number = duration.get("n").ok_or_else(|| duration.missing("n", hint))?;
    let mut choices: Vec<(&str, Millis)> = Unit::ALL.into_iter().map(|u| (u.name(), u.millis())).collect();
    choices.extend([("second", 1000), ("millisecond", 1), ("ms", 1)]);
    let unit = duration.choice("unit", &choices)?.ok_or_else(|| duration.missing("unit", hint))?;
    duration.finish()?;
    let ms = number.as_f64().map(|n| n * unit as f64).filter(|ms| *ms >= 0.0 && *ms <= WINDOW_MAX_MS as f64);
    ms.map(|ms| Some(ms.round() as Millis))
        .ok_or_else(|| query.wrong(key, format!("{value} is not allowed"), hint))
}

/// A condition or a list of them.
pub(crate) fn condition(query: &Reader<'_>, key: &'static str) -> Result<Option<Expr>, Error> {
    let Some(value) = query.get(key) else { return Ok(None) };
    let expr = parse_condition(value, &query.at(key))?;
    // An empty list is no condition.
    Ok(Some(expr).filter(|e| !matches!(e, Expr::All(list) if list.is_empty())))
}

/// The condition at this path of the query; cohorts in it are checked, but not looked up.
pub(crate) fn parse_condition(value: &Value, at: &str) -> Result<Expr, Error> {
    let wrong = |e: tallymark_predicate::PredicateError| match e.kind {
        tallymark_predicate::ErrorKind::Unsupported { feature } => Error::unsupported(e.path, feature),
        kind => Error::malformed(e.path, kind.to_string(), ""),
    };
    let parsed = Condition::parse(value, at).map_err(wrong)?;
    super::cohort::check(&parsed)?;
    parsed.compile_for_query().map_err(wrong)
}

/// Both conditions.
pub(crate) fn both(a: Option<Expr>, b: Option<Expr>) -> Option<Expr> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Expr::All(vec![a, b])),
        (a, b) => a.or(b),
    }
}

/// `event`, `where`, `nth`, `nth_of` of a selector.
pub(crate) fn selector(from: &Reader<'_>) -> Result<SelectorSpec, Error> {
    let hint = r#"a name, a list of names, "*" or "$active""#;
    let names = match from.get("event") {
        None => return Err(from.missing("event", hint)),
        Some(Value::String(name)) => match name.as_str() {
            "*" => NamesSpec::Any,
            "$active" => NamesSpec::Active,
            _ => NamesSpec::Of([name.clone()].into()),
        },
        Some(Value::Array(list)) => {
            let names: Option<BTreeSet<String>> =
                list.iter().map(|v| v.as_str().map(str::to_owned)).collect();
            match names.filter(|n| !n.is_empty()) {
                Some(names) => NamesSpec::Of(names),
                None => return Err(from.wrong("event", "must list at least one name, and only names", hint)),
            }
        }
        Some(other) => return Err(from.wrong("event", format!("must be text, not {}", kind(other)), hint)),
    };
    Ok(SelectorSpec { names, filter: condition(from, "where")?, nth: nth(from)? })
}

fn nth(from: &Reader<'_>) -> Result<Option<NthSpec>, Error> {
    const K_MAX: i64 = 10_000;
    let k = from.integer("nth", 1, K_MAX)?;
    let of_event = from.choice("nth_of", &[("event", true), ("where", false)])?;
    match (k, of_event) {
        (None, Some(_)) => Err(from.missing("nth", "`nth_of` says which events `nth` counts")),
        (None, None) => Ok(None),
        (Some(k), of_event) => Ok(Some(NthSpec { k: k as u32, of_event: of_event.unwrap_or(false) })),
    }
}

/// `scope` and `property`.
pub(crate) fn property(from: &Reader<'_>) -> Result<PropertyRef, Error> {
    let scope = match from.text("scope")? {
        None => Scope::Event,
        Some(name) => Scope::from_name(name).ok_or_else(|| {
            from.wrong("scope", format!("{name:?} is not known"), "use event, user or person")
        })?,
    };
    let path = from.text("property")?.filter(|p| !p.is_empty());
    let path = path.ok_or_else(|| from.missing("property", "the name of a property"))?;
    let found = PropertyRef { scope, path: path.to_owned() };
    Ok(found)
}

/// `breakdown`: one dimension or a list of them.
pub(crate) fn breakdowns(query: &Reader<'_>) -> Result<Vec<BreakdownSpec>, Error> {
    const DIMENSIONS_MAX: usize = 5;
    let list = match query.get("breakdown") {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    if list.len() > DIMENSIONS_MAX {
        return Err(query.wrong("breakdown", "has too many dimensions", format!("at most {DIMENSIONS_MAX}")));
    }
    let one = |(i, value): (usize, &Value)| {
        let from = Reader::new(value, &format!("breakdown[{i}]"))?;
        let found = BreakdownSpec {
            property: property(&from)?,
            bins: bins(&from)?,
            all_items: from.choice("items", &[("distinct", false), ("all", true)])?.unwrap_or(false),
            attribution: attribution(&from)?,
        };
        from.finish()?;
        Ok(found)
    };
    list.iter().enumerate().map(one).collect()
}

fn attribution(dimension: &Reader<'_>) -> Result<Option<AttributionSpec>, Error> {
    let Some(value) = dimension.get("attribution") else { return Ok(None) };
    let from = Reader::new(value, &dimension.at("attribution"))?;
    let hint = r#"{"model":"last","touch":{"event":"visit"},"lookback":{"n":30,"unit":"day"}}"#;
    let last = from.choice("model", &[("first", false), ("last", true)])?;
    let last = last.ok_or_else(|| from.missing("model", hint))?;
    let touch = from.get("touch").ok_or_else(|| from.missing("touch", hint))?;
    let touch = Reader::new(touch, &from.at("touch"))?;
    let selected = selector(&touch)?;
    touch.finish()?;
    let lookback = duration(&from, "lookback")?.ok_or_else(|| from.missing("lookback", hint))?;
    from.finish()?;
    Ok(Some(AttributionSpec { last, touch: selected, lookback }))
}

/// `limit`: rows of a breakdown.
pub(crate) fn limit(query: &Reader<'_>) -> Result<usize, Error> {
    const MAX: i64 = 10_000;
    const DEFAULT: i64 = 100;
    Ok(query.integer("limit", 1, MAX)?.unwrap_or(DEFAULT) as usize)
}

pub(crate) fn bins(from: &Reader<'_>) -> Result<Option<Vec<f64>>, Error> {
    const BINS_MAX: usize = 1000;
    let hint = "ascending numbers such as [0, 10, 100]";
    let Some(list) = from.list("bins")? else { return Ok(None) };
    let bounds: Option<Vec<f64>> = list.iter().map(number_of).collect();
    let bounds = bounds.filter(|b| !b.is_empty() && b.len() <= BINS_MAX && b.windows(2).all(|w| w[0] < w[1]));
    bounds.map(Some).ok_or_else(|| from.wrong("bins", "must be ascending numbers", hint))
}

/// Labels of bins (chapter 1.7).
pub(crate) fn bin_labels(bounds: &[f64]) -> Vec<String> {
    let text = |n: &f64| canonical_text(&Value::from(*n));
    let mut labels: Vec<String> = bounds.first().map(|b| format!("< {}", text(b))).into_iter().collect();
    labels.extend(bounds.windows(2).map(|w| format!("[{}, {})", text(&w[0]), text(&w[1]))));
    labels.extend(bounds.last().map(|b| format!(">= {}", text(b))));
    labels
}
