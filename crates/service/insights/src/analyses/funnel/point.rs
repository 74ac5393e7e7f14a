//! Who is behind a number of a funnel: `{step: k, state: "reached" | "dropped", breakdown?, bucket?}` (dropped: reached
//! that step and not the next), or `{bar: i, breakdown?}` of the histogram, counted from 0.

use super::general::General;
use super::marks::Key;
use super::tally::bar;
use super::units::{Found, REST};
use crate::Error;
use crate::analyses::groups::OTHER;
use crate::analyses::{Crowd, Point};
use crate::query::HistogramSpec;
use rustc_hash::FxHashSet;
use serde_json::Value;

/// Which attempts.
enum What {
    Reached(usize),
    /// Reached the first and not the second.
    Dropped(usize, Option<usize>),
    Bar(usize, HistogramSpec),
}

impl General<'_> {
    pub fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let what = self.what(point)?;
        let bucket = self.bucket(point)?;
        let label = label(point)?;
        point.finish()?;
        let mut rest: Option<FxHashSet<Key>> = None;
        let mut wanted: Option<FxHashSet<Key>> = None;
        if let Some(label) = label {
            let (by_key, resolved) = self.tally(None)?;
            if label == [OTHER] {
                rest = Some(self.ranked(by_key, &resolved).1);
                wanted = Some([REST.to_vec()].into_iter().collect());
            } else {
                wanted = Some(by_key.into_keys().filter(|key| resolved.label(key) == label).collect());
            }
        }
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let new = || (self.bound.context.budget.reservation(), Vec::new());
        let (parts, _) = self.run(&prepared, rest.as_ref(), new, |(held, crowd), key, found| {
            let here = bucket.is_none_or(|b| b == found.bucket);
            if here && wanted.as_ref().is_none_or(|w| w.contains(key)) && self.is_meant(&what, found) {
                held.grow(4)?;
                crowd.extend(found.events.first().map(|e| e.who));
            }
            Ok(())
        })?;
        Ok(Crowd::of(&self.actors, &prepared, parts.into_iter().flat_map(|(_, crowd)| crowd)))
    }

    fn is_meant(&self, what: &What, found: &Found<'_>) -> bool {
        let time = |k: usize| found.attempt.step(k).map(|e| found.events[e].time);
        match what {
            What::Reached(k) => time(*k).is_some(),
            What::Dropped(k, next) => time(*k).is_some() && next.is_some_and(|n| time(n).is_none()),
            What::Bar(i, histogram) => match (time(0), time(self.query.steps.len() - 1)) {
                (Some(first), Some(last)) => bar((last - first).max(0), *histogram) == Some(*i),
                _ => false,
            },
        }
    }

    fn what(&self, point: &Point<'_>) -> Result<What, Error> {
        let reader = &point.reader;
        if let Some(i) = reader.integer("bar", 0, 1 << 40)? {
            let histogram = self.query.histogram;
            let histogram =
                histogram.ok_or_else(|| reader.wrong("bar", "needs `histogram` in the query", ""))?;
            return Ok(What::Bar(i as usize, histogram));
        }
        let steps = self.query.steps.len();
        let hint = r#"{"step":1,"state":"reached"}"#;
        let k = reader.integer("step", 1, steps as i64)?.ok_or_else(|| reader.missing("step", hint))?;
        let k = k as usize - 1;
        let reached = reader.choice("state", &[("reached", true), ("dropped", false)])?;
        Ok(match reached.unwrap_or(true) {
            true => What::Reached(k),
            false => What::Dropped(k, self.shared.rules.required.iter().copied().find(|r| *r > k)),
        })
    }

    fn bucket(&self, point: &Point<'_>) -> Result<Option<usize>, Error> {
        let label = point.reader.text("bucket")?;
        match (label, self.query.over_time, &self.shared.buckets) {
            (None, None, _) => Ok(None),
            (Some(label), Some(over_time), Some(buckets)) => {
                let labels = buckets.labels(&self.bound.calendar, over_time.interval)?;
                let found = labels.iter().position(|l| l == label);
                found
                    .map(Some)
                    .ok_or_else(|| point.reader.wrong("bucket", "is none of the answer's", "a label"))
            }
            (None, ..) => Err(point.reader.missing("bucket", "the label of a bucket")),
            (Some(_), ..) => {
                Err(point.reader.wrong("bucket", "needs `over_time` in the query", "leave it out"))
            }
        }
    }
}

fn label(point: &Point<'_>) -> Result<Option<Vec<String>>, Error> {
    let wrong =
        || point.reader.wrong("breakdown", "must be a text, or a list of texts", "a label of the answer");
    match point.reader.get("breakdown") {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(vec![text.clone()])),
        Some(Value::Array(list)) => {
            let texts = list.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<_>>();
            texts.map(Some).ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}
