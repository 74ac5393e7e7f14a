//! A definition with its evidence: asked about persons at instants, it says who belongs.

use super::evidence::{Deed, Evidence, NOTHING, Of, Wanted, find, first_times};
use super::expand::Directory;
use super::moments::Moments;
use crate::Error;
use crate::operators::sum::ExactSum;
use crate::plan::Bound;
use crate::query::{CohortMeasure as Measure, Comparison, Definition, Performed, Window};
use rustc_hash::FxHashSet;
use std::sync::Arc;
use tallymark_model::Millis;
use tallymark_predicate::Matcher;
use tallymark_query::{Cancel, Names, PersonProperty, QueryError, Reservation, Selector, fold_parallel};

/// Persons asked about at one time.
const PERSONS: u32 = 1 << 15;

/// For which instants a tree will be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instants {
    /// Only for `as_of`: counts are enough where a clause compares counts.
    AsOf,
    /// For any up to `as_of`.
    Any,
}

/// A bound definition.
#[derive(Debug)]
pub(crate) struct Tree {
    root: Node,
    evidence: Vec<Evidence>,
    /// Persons of the view that it was bound to are below this.
    persons: u32,
    /// Per person its first row, if someone without evidence may belong.
    seen: Option<Arc<Vec<Millis>>>,
    cancel: Cancel,
    _held: Vec<Reservation>,
}

#[derive(Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Clause(Box<Clause>),
    Current { values: PersonProperty, matcher: Matcher },
    Ids(FxHashSet<u32>),
}

/// A `performed` clause: numbers are places in the evidence.
#[derive(Debug)]
struct Clause {
    deeds: usize,
    than: Option<usize>,
    then: Option<(usize, Millis)>,
    moments: Moments,
    measure: Compared,
    comparison: Comparison,
    nth_first: bool,
    require: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    Count,
    /// Distinct values, days among them.
    Distinct,
    Sum,
    MoreThan,
}

/// Binds the clauses of a definition one by one, in the same order twice: first what they want, then what they are.
struct Binder<'a> {
    bound: &'a Bound<'a>,
    directory: &'a Directory,
    instants: Instants,
    first: Option<Arc<Vec<Millis>>>,
    wanted: Vec<Wanted>,
}

impl Tree {
    /// Looks up everything that a definition asks for.
    pub fn new(
        definition: &Definition,
        bound: &Bound<'_>,
        directory: &Directory,
        instants: Instants,
    ) -> Result<Tree, Error> {
        // Definitions and static lists are kept elsewhere, and may change without a commit.
        bound.context.reads.fix("who belongs to a cohort");
        let bound = &bound.clone().of_cohorts();
        let definition = directory.expand(bound.snapshot, definition)?;
        let mut held = Vec::new();
        let mut first = None;
        if uses_first(&definition) {
            let (times, reservation) = first_times(bound, Names::Any)?;
            held.push(reservation);
            first = Some(times);
        }
        let mut binder = Binder { bound, directory, instants, first, wanted: Vec::new() };
        binder.want(&definition)?;
        let (evidence, more) = find(bound, &binder.wanted)?;
        held.extend(more);
        let mut next = 0;
        let root = binder.node(&definition, &evidence, &mut next)?;
        let persons = bound.snapshot.identity.bound();
        let cancel = bound.context.cancel.clone();
        let mut tree = Tree { root, evidence, persons, seen: None, cancel, _held: held };
        if tree.root.has_ids() || tree.root.of_nobody() {
            let (seen, reservation) = first_times(bound, Names::Rows)?;
            tree._held.push(reservation);
            tree.seen = Some(seen);
        }
        Ok(tree)
    }

    /// Who belongs at an instant, ascending.
    pub fn members(&self, at: Millis, threads: usize) -> Result<Vec<u32>, Error> {
        let parts: Vec<u32> = (0..self.persons).step_by(PERSONS as usize).collect();
        let found = fold_parallel(threads, parts, Vec::new, |found: &mut Vec<u32>, from| {
            let persons: Vec<u32> = (from..self.persons.min(from + PERSONS)).collect();
            let hits = self.of(&persons, &|_| at)?;
            found.extend(persons.into_iter().zip(hits).filter(|(_, hit)| *hit).map(|(person, _)| person));
            Ok(())
        })?;
        let mut members: Vec<u32> = found.into_iter().flatten().collect();
        members.sort_unstable();
        Ok(members)
    }

    /// For each person whether it belongs at its instant.
    pub fn of(&self, persons: &[u32], at: &dyn Fn(usize) -> Millis) -> Result<Vec<bool>, QueryError> {
        self.cancel.check()?;
        let mut hits = self.mark(&self.root, persons, at)?;
        for (row, hit) in hits.iter_mut().enumerate() {
            let person = persons[row];
            let seen = |seen: &Arc<Vec<Millis>>| seen.get(person as usize).is_some_and(|t| *t <= at(row));
            *hit = *hit && person != 0 && self.seen.as_ref().is_none_or(seen);
        }
        Ok(hits)
    }

    fn mark(
        &self,
        node: &Node,
        persons: &[u32],
        at: &dyn Fn(usize) -> Millis,
    ) -> Result<Vec<bool>, QueryError> {
        Ok(match node {
            Node::All(list) => {
                let mut hits = vec![true; persons.len()];
                for part in list {
                    let theirs = self.mark(part, persons, at)?;
                    hits.iter_mut().zip(theirs).for_each(|(h, t)| *h &= t);
                }
                hits
            }
            Node::Any(list) => {
                let mut hits = vec![false; persons.len()];
                for part in list {
                    let theirs = self.mark(part, persons, at)?;
                    hits.iter_mut().zip(theirs).for_each(|(h, t)| *h |= t);
                }
                hits
            }
            Node::Not(inner) => self.mark(inner, persons, at)?.into_iter().map(|hit| !hit).collect(),
            Node::Current { values, matcher } => values.at(persons, at).passes(matcher),
            Node::Ids(ids) => persons.iter().map(|p| ids.contains(p)).collect(),
            Node::Clause(clause) => {
                let each = persons.iter().enumerate();
                each.map(|(row, person)| clause.holds(&self.evidence, *person, at(row)))
                    .collect::<Result<_, Error>>()
                    .map_err(|e| QueryError::Invalid(e.to_string()))?
            }
        })
    }
}

impl Node {
    fn has_ids(&self) -> bool {
        match self {
            Node::All(list) | Node::Any(list) => list.iter().any(Node::has_ids),
            Node::Not(inner) => inner.has_ids(),
            Node::Ids(_) => true,
            Node::Clause(_) | Node::Current { .. } => false,
        }
    }

    /// Whether it holds for someone of whom nothing is known; then the universe must be known.
    fn of_nobody(&self) -> bool {
        match self {
            Node::All(list) => list.iter().all(Node::of_nobody),
            Node::Any(list) => list.iter().any(Node::of_nobody),
            Node::Not(inner) => !inner.of_nobody(),
            Node::Ids(_) => false,
            Node::Clause(clause) => clause.of_nothing(),
            Node::Current { matcher, .. } => matcher.eval_none(),
        }
    }
}

impl Clause {
    fn of_nothing(&self) -> bool {
        let counts = matches!(self.measure, Compared::Count | Compared::Distinct);
        let more = self.nth_first || self.require || self.then.is_some();
        counts && !more && self.comparison.holds(0.0)
    }

    fn holds(&self, evidence: &[Evidence], person: u32, at: Millis) -> Result<bool, Error> {
        if let Evidence::Counts(counts) = &evidence[self.deeds] {
            let count = |counts: &[u32]| counts.get(person as usize).copied().unwrap_or(0);
            let done = count(counts);
            return Ok(match self.than.map(|than| &evidence[than]) {
                Some(Evidence::Counts(others)) => done > count(others),
                _ => (!self.require || done > 0) && self.comparison.holds(f64::from(done)),
            });
        }
        let (from, to) = self.moments.at(person, at)?;
        let all = evidence[self.deeds].deeds(person);
        let inside = within(all, from, to);
        if (self.require || self.nth_first) && inside.is_empty() {
            return Ok(false);
        }
        if self.nth_first && all.first().is_none_or(|first| first.time < from) {
            return Ok(false);
        }
        if let Some((then, length)) = self.then {
            let later = evidence[then].deeds(person);
            if !inside.iter().any(|deed| followed(deed, later, length, at)) {
                return Ok(false);
            }
        }
        Ok(match self.measure {
            Compared::Count => self.comparison.holds(inside.len() as f64),
            Compared::MoreThan => {
                let others = self.than.map_or(&[][..], |than| evidence[than].deeds(person));
                inside.len() > within(others, from, to).len()
            }
            Compared::Distinct => {
                let mut values: Vec<u64> = inside.iter().map(|d| d.value).filter(|v| *v != NOTHING).collect();
                values.sort_unstable();
                values.dedup();
                self.comparison.holds(values.len() as f64)
            }
            Compared::Sum => {
                let mut sum = ExactSum::default();
                let mut any = false;
                for deed in inside.iter().filter(|d| d.value != NOTHING) {
                    any = true;
                    sum.add(f64::from_bits(deed.value));
                }
                any && sum.value().is_some_and(|sum| self.comparison.holds(sum))
            }
        })
    }
}

fn within(deeds: &[Deed], from: Millis, to: Millis) -> &[Deed] {
    let first = deeds.partition_point(|d| d.time < from);
    let last = deeds.partition_point(|d| d.time < to);
    &deeds[first..last.max(first)]
}

/// Whether a later event (stream order) follows within so long, at the latest at `at`.
fn followed(deed: &Deed, later: &[Deed], length: Millis, at: Millis) -> bool {
    let place = |d: &Deed| (d.time, d.received, d.position);
    let next = later.partition_point(|d| place(d) <= place(deed));
    later.get(next).is_some_and(|d| d.time - deed.time <= length && d.time <= at)
}

fn uses_first(definition: &Definition) -> bool {
    match definition {
        Definition::All(list) | Definition::Any(list) => list.iter().any(uses_first),
        Definition::Not(inner) => uses_first(inner),
        Definition::Performed(clause) => matches!(clause.window, Window::WithinFirst(_)),
        Definition::Current(_) | Definition::Ids(_) | Definition::Stored(_) => false,
    }
}

impl Binder<'_> {
    fn want(&mut self, definition: &Definition) -> Result<(), Error> {
        match definition {
            Definition::All(list) | Definition::Any(list) => list.iter().try_for_each(|d| self.want(d)),
            Definition::Not(inner) => self.want(inner),
            Definition::Performed(clause) => self.want_clause(clause),
            Definition::Current(_) | Definition::Ids(_) | Definition::Stored(_) => Ok(()),
        }
    }

    fn want_clause(&mut self, clause: &Performed) -> Result<(), Error> {
        let within = self.countable(clause)?;
        let selector = |spec| self.bound.selector(spec, None);
        let of = match &clause.measure {
            Measure::Count | Measure::MoreThan(_) => Of::Nothing,
            Measure::DistinctDays => Of::Day,
            Measure::Sum(property) => Of::Number(property.clone()),
            Measure::Distinct(property) => Of::Texts(property.clone()),
        };
        let wanted = |selector: Selector, of, order| Wanted { selector, of, order, within };
        let mut all = vec![wanted(selector(&clause.selector), of, clause.then.is_some())];
        if let Measure::MoreThan(than) = &clause.measure {
            all.push(wanted(selector(than), Of::Nothing, false));
        }
        if let Some((then, _)) = &clause.then {
            all.push(wanted(selector(then), Of::Nothing, true));
        }
        self.wanted.extend(all);
        Ok(())
    }

    /// The stretch in which events are only counted, if that is enough.
    fn countable(&self, clause: &Performed) -> Result<Option<(Millis, Millis)>, Error> {
        let counts = matches!(clause.measure, Measure::Count | Measure::MoreThan(_));
        let plain = !clause.nth_first && clause.then.is_none();
        let fixed = !matches!(clause.window, Window::WithinFirst(_));
        if self.instants == Instants::Any || !counts || !plain || !fixed {
            return Ok(None);
        }
        let as_of = self.bound.as_of();
        let window = match &clause.window {
            // The unit's start, however long ago the first event was.
            Window::Calendar { n, unit } => {
                let calendar = &self.bound.calendar;
                let current = calendar.floor(*unit, as_of)?;
                return Ok(Some((calendar.step(*unit, current, 1 - i64::from(*n))?, as_of + 1)));
            }
            window => Moments::new(window, self.bound, as_of, None)?,
        };
        Ok(Some(window.at(0, as_of)?))
    }

    /// `next` is the place of the next clause's evidence.
    fn node(&self, definition: &Definition, evidence: &[Evidence], next: &mut usize) -> Result<Node, Error> {
        let mut each = |list: &[Definition]| -> Result<Vec<Node>, Error> {
            list.iter().map(|d| self.node(d, evidence, next)).collect()
        };
        Ok(match definition {
            Definition::All(list) => Node::All(each(list)?),
            Definition::Any(list) => Node::Any(each(list)?),
            Definition::Not(inner) => Node::Not(Box::new(self.node(inner, evidence, next)?)),
            Definition::Current(leaf) => {
                let (snapshot, context) = (self.bound.snapshot, self.bound.context);
                let values =
                    PersonProperty::load(snapshot, &leaf.property.path, self.bound.as_of(), context)?;
                Node::Current { values, matcher: leaf.matcher.clone() }
            }
            Definition::Ids(ids) => {
                Node::Ids(self.directory.persons(self.bound.snapshot, ids)?.into_iter().collect())
            }
            // Expanded before.
            Definition::Stored(_) => Node::Any(Vec::new()),
            Definition::Performed(clause) => Node::Clause(Box::new(self.clause(clause, evidence, next)?)),
        })
    }

    fn clause(&self, clause: &Performed, evidence: &[Evidence], next: &mut usize) -> Result<Clause, Error> {
        let mut take = || {
            *next += 1;
            *next - 1
        };
        let deeds = take();
        let than = matches!(clause.measure, Measure::MoreThan(_)).then(&mut take);
        let then = clause.then.as_ref().map(|(_, length)| (take(), *length));
        let earliest = [Some(deeds), than].into_iter().flatten().filter_map(|i| evidence[i].earliest()).min();
        let earliest = earliest.unwrap_or(Millis::MAX);
        Ok(Clause {
            deeds,
            than,
            then,
            moments: Moments::new(&clause.window, self.bound, earliest, self.first.as_ref())?,
            measure: match clause.measure {
                Measure::Count => Compared::Count,
                Measure::DistinctDays | Measure::Distinct(_) => Compared::Distinct,
                Measure::Sum(_) => Compared::Sum,
                Measure::MoreThan(_) => Compared::MoreThan,
            },
            comparison: clause.comparison,
            nth_first: clause.nth_first,
            require: clause.require,
        })
    }
}
