//! What a scan reads, from what its segments say of themselves, and the histories that it needs.
//!
//! Guarantees: a row group is left out only if none of its rows can be meant; whatever rules decided are noted, so that
//! a kept answer knows when they would decide otherwise.
//! Deliberately not here: reading (`run`).

use super::codes::Codes;
use super::open::open_all;
use super::{Prepared, Scan, ScanPlan, Task};
use crate::interner::Interner;
use crate::reads::Rule;
use crate::timeline::GroupTimeline;
use crate::{Context, PropertyTimeline, QueryError, Selector, Snapshot, Vocabulary};
use rustc_hash::FxHashMap;
use std::sync::OnceLock;
use tallymark_ledger::SegmentKind;
use tallymark_model::Millis;
use tallymark_predicate::{Expr, PropertyRef, Scope, path_columns};
use tallymark_store::{Column, RowGroup};

impl Scan {
    /// Chooses what to read and loads the user properties that conditions or columns name.
    pub fn prepare<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        context: &'a Context,
    ) -> Result<Prepared<'a>, QueryError> {
        let mut prepared = self.choose(snapshot, context)?;
        prepared.look_up_cohorts()?;
        for property in self.reads(&snapshot.project.vocabulary) {
            for name in path_columns(&property.path) {
                let key = |kind: &str| (kind.to_owned(), name.to_owned());
                match &property.scope {
                    Scope::User | Scope::Person => {
                        let at_ingest = self.at_ingest(&property.scope);
                        let key = (name.to_owned(), at_ingest);
                        if !prepared.timelines.contains_key(&key) {
                            let how = (self.folding, at_ingest);
                            let until = self.property_until(name, at_ingest, &snapshot.project.vocabulary);
                            if until == self.as_of {
                                context.reads.to_as_of();
                            }
                            context.reads.timeline(name);
                            let timeline =
                                PropertyTimeline::load_folded(snapshot, name, until, how, context)?;
                            prepared.timelines.insert(key, timeline);
                        }
                    }
                    Scope::Group(kind) | Scope::GroupLatest(kind)
                        if !prepared.of_groups.contains_key(&key(kind)) =>
                    {
                        context.reads.to_as_of();
                        context.reads.timeline(&format!("group:{kind}.{name}"));
                        let timeline = GroupTimeline::load(snapshot, kind, name, self.as_of, context)?;
                        prepared.of_groups.insert(key(kind), timeline);
                    }
                    _ => {}
                }
            }
        }
        Ok(prepared)
    }

    /// Whether values in this scope are those that were seen when the row was processed.
    pub(super) fn at_ingest(&self, scope: &Scope) -> bool {
        self.folding.ingest_order && *scope == Scope::User
    }

    pub(super) fn rule(&self, (from, to): (Millis, Millis)) -> Rule {
        Rule {
            kind: SegmentKind::Events,
            names: self.selectors.iter().map(|s| s.names.clone()).collect(),
            from: self.from.max(from),
            to: self.to.min(to),
            received_from: self.received_from,
        }
    }

    /// Up to which instant the history of a property is needed: to the end of time for what a person is now, and where
    /// the target of a merge wins by what it has (a later time may stand earlier in the log), else to the last row that
    /// can be read.
    pub(super) fn property_until(&self, name: &str, at_ingest: bool, vocabulary: &Vocabulary) -> Millis {
        let last = self.as_of.min(self.to.saturating_sub(1));
        let latest = |p: &PropertyRef| {
            matches!(p.scope, Scope::Person) && path_columns(&p.path).any(|column| column == name)
        };
        match at_ingest || self.folding.target_wins || self.reads(vocabulary).iter().any(latest) {
            true => self.as_of,
            false => last,
        }
    }

    /// What it would read.
    pub fn plan(&self, snapshot: &Snapshot, context: &Context) -> Result<ScanPlan, QueryError> {
        let mut prepared = self.choose(snapshot, context)?;
        for task in &prepared.tasks {
            let mut columns = vec![Column::Event, Column::Subject];
            columns.extend(prepared.instant(task).is_none().then_some(Column::Time));
            if self.order {
                columns.extend([Column::ReceivedAt, Column::Position]);
            }
            columns.extend(self.sessions.then_some(Column::SessionId));
            columns.extend(prepared.event_columns(&task.reader));
            prepared.plan.bytes += task.reader.cost(task.group, &columns);
            for column in columns.iter().filter(|c| task.reader.has(c)) {
                let name = column.file_name();
                if !prepared.plan.columns.contains(&name) {
                    prepared.plan.columns.push(name);
                }
            }
        }
        prepared.plan.columns.sort();
        Ok(prepared.plan)
    }

    pub(super) fn choose<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        context: &'a Context,
    ) -> Result<Prepared<'a>, QueryError> {
        for property in self.properties() {
            if let Some(problem) = snapshot.project.vocabulary.missing(&property) {
                return Err(QueryError::Invalid(problem));
            }
        }
        let mut tasks = Vec::new();
        let mut plan = ScanPlan {
            segments: 0,
            segments_read: 0,
            segments_out_of_time: 0,
            segments_received_before: 0,
            row_groups: 0,
            row_groups_read: 0,
            row_groups_out_of_time: 0,
            row_groups_of_others: 0,
            rows: 0,
            bytes: 0,
            columns: Vec::new(),
        };
        let mut chosen = Vec::new();
        for segment in snapshot.segments_of(SegmentKind::Events) {
            plan.segments += 1;
            let too_old = self.received_from.is_some_and(|from| segment.received_max < from);
            if segment.time_max < self.from || segment.time_min >= self.to {
                plan.segments_out_of_time += 1;
            } else if too_old {
                plan.segments_received_before += 1;
            } else {
                chosen.push(segment);
            }
        }
        for reader in open_all(snapshot, &chosen, context)? {
            context.cancel.check()?;
            let before = tasks.len();
            for (group, info) in reader.row_groups().iter().enumerate() {
                plan.row_groups += 1;
                let in_time = info.time_max >= self.from && info.time_min < self.to;
                if !in_time {
                    plan.row_groups_out_of_time += 1;
                } else if self.selectors.iter().enumerate().any(|(i, s)| self.wants(i, s, info)) {
                    plan.rows += info.rows;
                    tasks.push(Task { reader: reader.clone(), group });
                } else {
                    plan.row_groups_of_others += 1;
                }
            }
            plan.segments_read += usize::from(tasks.len() > before);
        }
        plan.row_groups_read = tasks.len();
        // By time, because operators that look at the events of an actor sort them by it.
        tasks.sort_by_key(|t| t.reader.row_groups()[t.group].time_min);
        let names = Interner::new(context.budget.reservation());
        let codes = Codes::new(&context.budget, &snapshot.project.vocabulary);
        let (timelines, members, nth) = (FxHashMap::default(), FxHashMap::default(), OnceLock::new());
        let of_groups = FxHashMap::default();
        Ok(Prepared {
            scan: self,
            snapshot,
            context,
            tasks,
            plan,
            timelines,
            of_groups,
            members,
            names,
            codes,
            nth,
        })
    }

    /// True if rows of the group may match a selector and matter.
    pub(super) fn wants(&self, nth: usize, selector: &Selector, group: &RowGroup) -> bool {
        let matters = self.spans.get(nth).is_none_or(|(from, to)| group.overlaps(*from, *to));
        matters && selector.names.may_occur(group)
    }

    /// Properties to read, those that others are computed from before them.
    pub(super) fn reads(&self, vocabulary: &Vocabulary) -> Vec<PropertyRef> {
        let mut all = self.properties();
        let mut at = 0;
        while at < all.len() {
            all.extend(vocabulary.inputs(&all[at]));
            at += 1;
        }
        // Computed scopes sort behind those they are computed from.
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(super) fn properties(&self) -> Vec<PropertyRef> {
        let filters = self.selectors.iter().filter_map(|s| s.filter.as_ref()).chain(&self.filter);
        let mut all: Vec<PropertyRef> = filters.flat_map(Expr::properties).collect();
        all.extend(self.columns.iter().cloned());
        all.sort_unstable();
        all.dedup();
        all
    }
}
