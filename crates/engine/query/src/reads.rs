//! What an answer was made of: every row group it read, and by which rule they were chosen. Whoever keeps an answer can
//! ask a later snapshot whether reading it again would find the same.
//!
//! Guarantees: written where files are read, so that nothing an analysis looks at can be forgotten; files never change,
//! so the same row groups hold the same rows. What may change without a file (who is who, masks) is asked for as well.
//! Deliberately not here: answers (`insights`), the clock.

use crate::scan::storage;
use crate::{Context, Names, QueryError, Snapshot};
use rustc_hash::{FxHashSet, FxHasher};
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};
use tallymark_identity::View;
use tallymark_ledger::{SegmentKind, SegmentMeta};
use tallymark_model::{CommitSeq, Millis, SegmentId};
use tallymark_store::{RowGroup, SegmentReader};

/// A log of what one query reads. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Reads(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    files: Vec<FileRead>,
    /// Persons were resolved.
    persons: bool,
    /// Why no later snapshot can be compared.
    fixed: Option<&'static str>,
    /// Instants up to which something was read that ends with the query's `as_of`.
    to_as_of: bool,
    passes: usize,
    timelines: BTreeSet<String>,
    cohorts: BTreeSet<String>,
    served: Served,
}

/// How an answer came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Served {
    /// From the files.
    #[default]
    Computed,
    /// It was kept from the same commit.
    Cached,
    /// It was kept from an earlier commit, nothing it was made of has changed since, and what the envelope says
    /// about the commit was written anew.
    Patched,
}

impl Served {
    /// As explanations and headers say it.
    pub fn name(self) -> &'static str {
        match self {
            Served::Computed => "computed",
            Served::Cached => "cached",
            Served::Patched => "patched",
        }
    }
}

/// Row groups that a rule chose.
#[derive(Debug, Clone)]
pub(crate) struct FileRead {
    pub rule: Rule,
    /// Files whose row groups were looked through.
    pub segments: FxHashSet<SegmentId>,
    /// Those of which row groups were read.
    pub read: FxHashSet<SegmentId>,
    pub row_groups: usize,
    pub rows: u64,
}

/// Which row groups are meant.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub kind: SegmentKind,
    /// Any of these. For properties, their names.
    pub names: Vec<Names>,
    pub from: Millis,
    /// First instant after.
    pub to: Millis,
    pub received_from: Option<Millis>,
}

impl Rule {
    /// Whether a file can hold rows that are meant.
    pub fn overlaps(&self, segment: &SegmentMeta) -> bool {
        let too_old = self.received_from.is_some_and(|from| segment.received_max < from);
        segment.kind == self.kind && !too_old && segment.time_max >= self.from && segment.time_min < self.to
    }

    /// Whether a row group can.
    pub fn means(&self, info: &RowGroup) -> bool {
        let in_time = info.time_max >= self.from && info.time_min < self.to;
        in_time
            && self.names.iter().any(|names| match (self.kind, names) {
                (SegmentKind::Properties, Names::Of(names)) => match &info.names {
                    Some(have) => have.iter().any(|n| names.contains(n)),
                    None => names.range(info.name_min.clone()..=info.name_max.clone()).next().is_some(),
                },
                _ => names.may_occur(info),
            })
    }
}

/// What was read, as it was.
#[derive(Debug, Clone)]
pub struct Evidence {
    seq: CommitSeq,
    /// Every file of the snapshot, and everything it hides.
    state: u64,
    files: Vec<FileRead>,
    /// How many subjects there were, and who they are.
    persons: Option<(usize, u64)>,
    fixed: bool,
    /// Masks of the files that were read.
    hidden: u64,
    /// It read something that ends with the query's `as_of`.
    pub to_as_of: bool,
}

/// Things to show about a query that has run.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct ReadReport {
    /// Passes over actors: more than one if the budget did not hold all at once.
    pub passes: usize,
    /// Properties of persons and groups whose history was folded.
    pub timelines: Vec<String>,
    /// Cohorts whose members were decided.
    pub cohorts: Vec<String>,
    /// What was read of files.
    pub reads: Vec<ReadFiles>,
}

/// One pass over files.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ReadFiles {
    /// `events` or `properties`.
    pub kind: &'static str,
    /// Files that were looked through.
    pub segments: usize,
    /// Files that were read.
    pub segments_read: usize,
    /// Row groups that were read.
    pub row_groups: usize,
    /// Their rows.
    pub rows: u64,
}

impl Reads {
    pub(crate) fn file(&self, read: FileRead) {
        self.log().files.push(read);
    }
    pub(crate) fn persons(&self) {
        self.log().persons = true;
    }
    /// The history of a property was folded.
    pub(crate) fn timeline(&self, name: &str) {
        self.log().timelines.insert(name.to_owned());
    }
    /// A cohort was decided.
    pub fn cohort(&self, text: &str) {
        self.log().cohorts.insert(text.to_owned());
    }
    /// Something was read that no later snapshot can be compared with; says what.
    pub fn fix(&self, why: &'static str) {
        self.log().fixed.get_or_insert(why);
    }
    /// Something was read up to the query's `as_of`.
    pub fn to_as_of(&self) {
        self.log().to_as_of = true;
    }
    /// Records by actor took so many passes.
    pub fn passes(&self, passes: usize) {
        let mut log = self.log();
        log.passes = log.passes.max(passes);
    }

    /// Says how the answer came about.
    pub fn serve(&self, served: Served) {
        self.log().served = served;
    }
    /// How the answer came about.
    pub fn served(&self) -> Served {
        self.log().served
    }

    /// Why the answer cannot be kept for later snapshots, if it cannot.
    pub fn fixed(&self) -> Option<&'static str> {
        self.log().fixed
    }

    /// For explanations.
    pub fn report(&self) -> ReadReport {
        let log = self.log();
        ReadReport {
            passes: log.passes.max(1),
            timelines: log.timelines.iter().cloned().collect(),
            cohorts: log.cohorts.iter().cloned().collect(),
            reads: log.files.iter().map(FileRead::figures).collect(),
        }
    }

    /// What was read of this snapshot.
    pub fn evidence(&self, snapshot: &Snapshot) -> Evidence {
        let log = self.log();
        let subjects = snapshot.identity.dense().len();
        let erasures = !snapshot.hidden.erased_subjects().is_empty();
        let mut files: Vec<FileRead> = Vec::new();
        for read in &log.files {
            // Several passes read the same.
            let same = |f: &FileRead| {
                let (a, b) = (&f.rule, &read.rule);
                f.read == read.read && f.segments == read.segments && format!("{a:?}") == format!("{b:?}")
            };
            if !files.iter().any(same) {
                files.push(read.clone());
            }
        }
        Evidence {
            seq: snapshot.seq,
            state: state_of(snapshot),
            hidden: masks(&files, snapshot),
            persons: log.persons.then(|| (subjects, who_is_who(&snapshot.identity, subjects))),
            files,
            fixed: log.fixed.is_some() || erasures,
            to_as_of: log.to_as_of,
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Evidence {
    /// True if it was the same commit, with the same files and masks.
    pub fn is_of(&self, snapshot: &Snapshot) -> bool {
        self.seq == snapshot.seq && self.state == state_of(snapshot)
    }

    /// The same of a later commit for which it holds.
    pub fn of_later(mut self, snapshot: &Snapshot) -> Evidence {
        self.seq = snapshot.seq;
        self.state = state_of(snapshot);
        for read in &mut self.files {
            let rule = &read.rule;
            read.segments = snapshot.segments.iter().filter(|s| rule.overlaps(s)).map(|s| s.id).collect();
        }
        self
    }

    /// Memory that keeping it takes, about.
    pub fn bytes(&self) -> u64 {
        let ids = self.files.iter().map(|f| f.segments.len() + f.read.len() + 16);
        ids.sum::<usize>() as u64 * 32
    }

    /// Whether reading this snapshot by the same rules finds the same rows of the same persons.
    pub fn holds(&self, snapshot: &Snapshot, context: &Context) -> Result<bool, QueryError> {
        if self.is_of(snapshot) {
            return Ok(true);
        }
        if self.fixed || !snapshot.hidden.erased_subjects().is_empty() {
            return Ok(false);
        }
        let same_people = |(subjects, then): (usize, u64)| {
            subjects <= snapshot.identity.dense().len() && who_is_who(&snapshot.identity, subjects) == then
        };
        if !self.persons.is_none_or(same_people) || masks(&self.files, snapshot) != self.hidden {
            return Ok(false);
        }
        for read in &self.files {
            if !read.holds(snapshot, context)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl FileRead {
    fn figures(&self) -> ReadFiles {
        ReadFiles {
            kind: match self.rule.kind {
                SegmentKind::Events => "events",
                SegmentKind::Properties => "properties",
            },
            segments: self.segments.len(),
            segments_read: self.read.len(),
            row_groups: self.row_groups,
            rows: self.rows,
        }
    }

    fn holds(&self, snapshot: &Snapshot, context: &Context) -> Result<bool, QueryError> {
        let mut found = 0;
        for segment in snapshot.segments.iter().filter(|s| self.rule.overlaps(s)) {
            context.cancel.check()?;
            if self.segments.contains(&segment.id) {
                found += usize::from(self.read.contains(&segment.id));
                continue;
            }
            let reader = SegmentReader::open(&snapshot.store, segment).map_err(storage)?;
            if reader.row_groups().iter().any(|info| self.rule.means(info)) {
                return Ok(false);
            }
        }
        Ok(found == self.read.len())
    }
}

/// A number for the persons of the first subjects: for both questions, who they are at any place in the log.
fn who_is_who(view: &View, subjects: usize) -> u64 {
    let mut hasher = FxHasher::default();
    for (subject, person) in view.dense()[..subjects].iter().enumerate() {
        hasher.write_u32(*person);
        if *person == View::VARYING {
            for (from, owner) in view.timeline(tallymark_model::SubjectId(subject as u32)) {
                hasher.write_i64(from.received_at);
                hasher.write_u64(from.position);
                hasher.write_u32(*owner);
            }
        }
    }
    hasher.finish()
}

fn state_of(snapshot: &Snapshot) -> u64 {
    let mut hasher = FxHasher::default();
    snapshot.segments.iter().for_each(|s| s.id.hash(&mut hasher));
    hasher.write_u64(snapshot.hidden.masks_of(snapshot.segments.iter().map(|s| s.id)));
    snapshot.hidden.erased_subjects().hash(&mut hasher);
    hasher.finish()
}

fn masks(files: &[FileRead], snapshot: &Snapshot) -> u64 {
    let read: BTreeSet<SegmentId> = files.iter().flat_map(|f| f.read.iter().copied()).collect();
    snapshot.hidden.masks_of(read.into_iter())
}
