//! `type: "ltv"` (chapter 10): revenue per new actor by days since its first event.
//!
//! At day k only actors count whose day k is over by `as_of`, so the curve may fall at its right edge. Who paid
//! is who has revenue above zero.

use super::actors::Actors;
use super::gather::{by_actor, scatter};
use super::owned::{Happening, Owned};
use super::{Analysis, Crowd, Point};
use crate::Error;
use crate::operators::sum::ExactSum;
use crate::plan::Bound;
use crate::query::LtvQuery;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};
use tallymark_model::Millis;
use tallymark_query::{Buckets, Prepared, QueryError, Reservation, Scan, json_number};

const DAY_MS: Millis = 86_400_000;

/// What a query becomes when it meets a snapshot.
pub(crate) struct Ltv<'a> {
    query: &'a LtvQuery,
    bound: &'a Bound<'a>,
    scan: Scan,
    actors: Actors,
    column: usize,
}

/// A beginning or a payment.
#[derive(Debug, Clone, Copy)]
struct Payment {
    time: Millis,
    starts: bool,
    amount: Option<f64>,
}

impl Happening for Payment {
    fn order(&self) -> impl Ord {
        self.time
    }
    fn opens(&self) -> bool {
        self.starts
    }
}

/// A new actor: the last day that counts (-1 = none yet), and the day of its first payment.
#[derive(Debug, Clone, Copy)]
struct Life {
    actor: u32,
    last: i64,
    paid: Option<i64>,
}

struct Part {
    lives: Vec<Life>,
    /// Revenue by (day it came, last day of its actor).
    revenue: FxHashMap<(i64, i64), ExactSum>,
    held: Reservation,
}

impl<'a> Ltv<'a> {
    /// Prepares the scan.
    pub fn new(query: &'a LtvQuery, bound: &'a Bound<'a>) -> Result<Ltv<'a>, Error> {
        let actors = Actors::new(&query.common.count_by, bound.context);
        let selectors = vec![
            bound.selector(&query.start, query.common.segment.as_ref()),
            bound.selector(&query.revenue, None),
        ];
        let mut scan = bound.scan(selectors, bound.range.0, Millis::MAX, &query.common.count_by);
        let column = scan.columns.len();
        scan.columns.push(query.property.clone());
        Ok(Ltv { query, bound, scan, actors, column })
    }

    fn parts(&self, prepared: &Prepared<'_>) -> Result<Vec<Part>, Error> {
        let (context, threads) = (self.bound.context, self.bound.threads);
        let (from, to) = self.bound.range;
        let scattered = scatter(prepared, context, threads, |all, batch| {
            let actors = self.actors.of(batch)?;
            for row in 0..batch.len() {
                let (time, mask) = (batch.times[row], batch.masks[row]);
                let starts = mask & 1 != 0 && from <= time && time < to;
                let number = || batch.columns[self.column].value(row).number();
                let amount = if mask & 2 != 0 { number() } else { None };
                if starts || amount.is_some() {
                    all.push(Owned::new(actors[row], Payment { time, starts, amount }));
                }
            }
            Ok(())
        })?;
        let new =
            || Part { lives: Vec::new(), revenue: FxHashMap::default(), held: context.budget.reservation() };
        Ok(by_actor(scattered, context, threads, new, |part, events| self.live(part, events))?)
    }

    fn live(&self, part: &mut Part, events: &[Owned<Payment>]) -> Result<(), QueryError> {
        let Some(start) = events.iter().find(|e| e.what.starts) else { return Ok(()) };
        let (actor, born) = (start.actor, start.what.time);
        let periods = self.query.periods as i64;
        // Day k is over if its end is not later than `as_of`.
        let last = ((self.bound.as_of() - born).div_euclid(DAY_MS) - 1).min(periods);
        let mut paid = None;
        for event in events.iter().filter(|e| e.what.time >= born) {
            let Some(amount) = event.what.amount else { continue };
            let day = (event.what.time - born).div_euclid(DAY_MS);
            if amount > 0.0 && paid.is_none() {
                paid = Some(day);
            }
            if day <= last {
                part.revenue.entry((day, last)).or_default().add(amount);
            }
        }
        part.lives.push(Life { actor, last, paid });
        part.held.grow_to(part.lives.len() as u64 * 48 + part.revenue.len() as u64 * 128)
    }

    fn pays_by(&self, life: &Life, day: i64) -> bool {
        life.paid.is_some_and(|paid| self.query.payers_ever || paid <= day)
    }

    /// Revenue by each day, of the actors whose day it is over.
    fn revenue(&self, parts: &[Part]) -> Vec<ExactSum> {
        let days = self.query.periods + 1;
        let mut by_pair: FxHashMap<(i64, i64), ExactSum> = FxHashMap::default();
        for (pair, sum) in parts.iter().flat_map(|p| &p.revenue) {
            by_pair.entry(*pair).or_default().merge(sum);
        }
        let mut totals = vec![ExactSum::default(); days];
        for last in 0..days as i64 {
            let mut so_far = ExactSum::default();
            for day in 0..=last {
                if let Some(sum) = by_pair.get(&(day, last)) {
                    so_far.merge(sum);
                }
                totals[day as usize].merge(&so_far);
            }
        }
        totals
    }
}

impl Analysis for Ltv<'_> {
    fn scans(&self) -> Vec<&Scan> {
        vec![&self.scan]
    }

    fn buckets(&self) -> Result<Buckets, Error> {
        self.bound.buckets(None)
    }

    fn run(&self) -> Result<Map<String, Value>, Error> {
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let parts = self.parts(&prepared)?;
        let lives = || parts.iter().flat_map(|p| &p.lives);
        let mut days = Vec::new();
        for (day, sum) in self.revenue(&parts).iter().enumerate() {
            self.bound.context.cancel.check()?;
            let day = day as i64;
            let old: Vec<&Life> = lives().filter(|l| l.last >= day).collect();
            let payers = old.iter().filter(|l| self.pays_by(l, day)).count();
            let revenue = sum.value();
            let per = |n: usize| match revenue {
                Some(_) if n == 0 && self.query.common.div_zero => json!(0),
                Some(revenue) if n > 0 => json_number(revenue / n as f64),
                _ => Value::Null,
            };
            days.push(json!({
                "day": day,
                "actors": old.len(),
                "payers": payers,
                "revenue": revenue.map_or(Value::Null, json_number),
                "arpu": per(old.len()),
                "arppu": per(payers),
            }));
        }
        let mut answer = Map::new();
        answer.insert("actors".to_owned(), json!(lives().count()));
        answer.insert("days".to_owned(), Value::Array(days));
        Ok(answer)
    }

    fn crowd(&self, point: &Point<'_>) -> Result<Crowd, Error> {
        let day = point.reader.integer("day", 0, self.query.periods as i64)?;
        let payers = point.reader.choice("state", &[("actor", false), ("payer", true)])?.unwrap_or(false);
        if payers && day.is_none() {
            return Err(point.reader.missing("day", "payers are counted by day"));
        }
        point.finish()?;
        let prepared = self.scan.prepare(self.bound.snapshot, self.bound.context)?;
        let parts = self.parts(&prepared)?;
        let wanted =
            |life: &&Life| day.is_none_or(|day| life.last >= day && (!payers || self.pays_by(life, day)));
        let actors: Vec<u32> = parts.iter().flat_map(|p| &p.lives).filter(wanted).map(|l| l.actor).collect();
        Ok(Crowd::of(&self.actors, &prepared, actors))
    }
}
