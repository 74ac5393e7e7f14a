//! Who is behind a cell: `{cohort: label, period: k, state: "returned" | "not" | "started", breakdown?}`; `period`
//! counts the answer's columns from 0, `started` are all members of the cohort.

use super::general::General;
use super::plain::REST;
use crate::Error;
use crate::analyses::groups::OTHER;
use crate::analyses::{Crowd, Point};
use rustc_hash::FxHashSet;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Returned,
    Not,
    Started,
}

impl General<'_> {
    pub fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let reader = &point.reader;
        let cohort = self.cohort(point)?;
        let states = [("returned", State::Returned), ("not", State::Not), ("started", State::Started)];
        let state = reader.choice("state", &states)?.unwrap_or(State::Returned);
        let last = self.frame.cells.len() as i64 - 1;
        let cell = match reader.integer("period", 0, last)? {
            Some(k) => k as usize,
            None if state == State::Started => 0,
            None => return Err(reader.missing("period", "the number of a column, from 0")),
        };
        if state != State::Started && !self.frame.state(cohort, cell).0 {
            return Err(reader.wrong("period", "has not begun", "an earlier one"));
        }
        let label = label(point)?;
        point.finish()?;
        let (mut wanted, mut rest): (Option<u32>, Option<FxHashSet<u32>>) = (None, None);
        if let Some(label) = label {
            let by_group = self.tables(None)?;
            let labels = self.groups.labels();
            if label == [OTHER] {
                rest = Some(self.writer().ranked(by_group, &labels).1.into_iter().collect());
                wanted = Some(REST);
            } else {
                let found = labels.iter().find(|(_, texts)| **texts == label).map(|(group, _)| *group);
                // No group has that number.
                wanted = Some(found.unwrap_or(REST));
            }
        }
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let new = || (self.bound.context.budget.reservation(), Vec::new());
        let take = |(held, crowd): &mut (_, Vec<u32>), member: &super::general::Member<'_>| {
            let meant = match state {
                State::Returned => member.returned[cell],
                State::Not => !member.returned[cell],
                State::Started => true,
            };
            if member.cohort == cohort && wanted.is_none_or(|w| w == member.group) && meant {
                tallymark_query::Reservation::grow(held, 4)?;
                crowd.push(member.who);
            }
            Ok(())
        };
        let parts = self.run(&prepared, rest.as_ref(), new, take, |_| ())?;
        Ok(Crowd::of(&self.actors, &prepared, parts.into_iter().flat_map(|(_, crowd)| crowd)))
    }

    fn cohort(&self, point: &Point<'_>) -> Result<usize, Error> {
        let reader = &point.reader;
        let label =
            reader.text("cohort")?.ok_or_else(|| reader.missing("cohort", "the label of a cohort"))?;
        for cohort in 0..self.frame.cohorts {
            let start = self.frame.buckets.start(cohort);
            if self.bound.calendar.label(self.query.interval, start)? == label {
                return Ok(cohort);
            }
        }
        Err(reader.wrong("cohort", "is none of the answer's", "a label of the answer"))
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
