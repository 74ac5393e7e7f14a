//! Whole rows, newest first: lists, pages about persons, the live tail.
//!
//! Guarantees: rows come in descending (time, log order), each once; only narrow columns are read to find them,
//! all columns only where they are. Deliberately not here: JSON shapes (`insights`).

use crate::scan::{Persons, fold_parallel, mistyped, storage};
use crate::{Context, Names, QueryError, Snapshot};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, UInt32Type, UInt64Type};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use tallymark_ledger::{SegmentKind, SegmentMeta};
use tallymark_model::{Millis, SubjectKind};
use tallymark_store::{Column, EventRow, RowGroup, SegmentReader, StoreError};

/// Files that are searched together for one person: first, and at most.
const WAVE: usize = 8;
const WAVE_MAX: usize = 64;
/// Threads of a list. Lists are short; what they wait for is decoding many small pieces.
const THREADS: usize = 2;

/// (time, receive time, packed position): the order of a stream.
pub type Place = (Millis, Millis, u64);

/// Which rows to list.
#[derive(Debug, Clone)]
pub struct RowQuery {
    /// Only these names, operations too if they are named; everything if this is `None`.
    pub names: Option<BTreeSet<String>>,
    /// Only rows of this person.
    pub person: Option<u32>,
    /// First instant.
    pub from: Millis,
    /// First instant after.
    pub to: Millis,
    /// Only rows before this place.
    pub before: Option<Place>,
    /// At most this many.
    pub limit: usize,
}

/// A row with its person.
#[derive(Debug, Clone)]
pub struct FoundRow {
    /// Where it stands in the stream.
    pub place: Place,
    /// Its person by the snapshot's identity; 0 = nobody.
    pub person: u32,
    /// The row.
    pub row: EventRow,
}

/// The newest rows that match.
pub fn newest(snapshot: &Snapshot, query: &RowQuery, context: &Context) -> Result<Vec<FoundRow>, QueryError> {
    let mut finder = Finder::new(snapshot, query, context);
    let mut segments: Vec<&SegmentMeta> = snapshot
        .segments_of(SegmentKind::Events)
        .filter(|s| s.time_max >= query.from && s.time_min < query.to)
        .collect();
    segments.sort_by_key(|s| Reverse(s.time_max));
    let mut rest = &segments[..];
    while rest.first().is_some_and(|newest| !finder.best.enough(newest.time_max)) {
        // One person has little in each file, so several are looked at together: as many as the rest of the page is
        // likely to be in.
        let (searched, found) = (segments.len() - rest.len(), finder.best.places.len());
        let files = match query.person {
            None => 1,
            Some(_) if searched == 0 => WAVE,
            Some(_) => ((query.limit - found) * searched / found.max(1) + 1).clamp(WAVE, WAVE_MAX),
        };
        let (wave, later) = rest.split_at(files.min(rest.len()));
        finder.search(wave)?;
        rest = later;
    }
    finder.fetch()
}

/// Rows of freshly committed segments in log order, at most the last `limit` of each. Segments that were merged
/// away and deleted since are passed by: their rows are no longer fresh.
pub fn fresh(
    snapshot: &Snapshot,
    segments: &[SegmentMeta],
    limit: usize,
    context: &Context,
) -> Result<Vec<FoundRow>, QueryError> {
    let persons = Persons::of(snapshot);
    let mut rows = Vec::new();
    for segment in segments {
        context.cancel.check()?;
        let reader = match SegmentReader::open(&snapshot.store, segment) {
            Err(StoreError::NotFound { .. }) => continue,
            opened => opened.map_err(storage)?,
        };
        let mut left = limit;
        let hidden = &snapshot.hidden;
        for group in (0..reader.row_groups().len()).rev() {
            let count = reader.row_groups()[group].rows as usize;
            let wanted: Vec<u32> = (count.saturating_sub(left) as u32..count as u32).collect();
            left = left.saturating_sub(count);
            let screen = hidden.in_group(segment, &reader.row_groups()[group]);
            let shown = |row: &EventRow| {
                screen.is_none_or(|s| !s.hides(row.subject.0, row.received_at, row.position.pack()))
            };
            let picked = pick(snapshot, &reader, group, &wanted)?;
            rows.extend(picked.into_iter().filter(shown).map(|row| found(&persons, row)));
            if left == 0 {
                break;
            }
        }
    }
    rows.sort_by_key(|r| (r.place.1, r.place.2));
    Ok(rows)
}

fn found(persons: &Persons<'_>, row: EventRow) -> FoundRow {
    let place = (row.time, row.received_at, row.position.pack());
    FoundRow { place, person: persons.of_row(row.subject.0, place.1, place.2), row }
}

/// How many events (operations not counted) each of these persons has, with first and last time. Exact also for
/// devices that changed hands.
pub fn count_events(
    snapshot: &Snapshot,
    persons: &[u32],
    context: &Context,
) -> Result<BTreeMap<u32, (u64, Millis, Millis)>, QueryError> {
    let mut counts: BTreeMap<u32, (u64, Millis, Millis)> = BTreeMap::new();
    let members = members_of(snapshot, persons);
    let resolve = Persons::of(snapshot);
    for segment in snapshot.segments_of(SegmentKind::Events) {
        let reader = SegmentReader::open(&snapshot.store, segment).map_err(storage)?;
        let groups = reader.groups_of(&members).map_err(storage)?;
        for group in groups.unwrap_or_else(|| (0..reader.row_groups().len()).collect()) {
            let info = &reader.row_groups()[group];
            context.cancel.check()?;
            let only_operations = info.names.as_ref().is_some_and(|n| n.iter().all(|n| !Names::Any.mean(n)));
            if only_operations || !touches(&members, info.subject_min, info.subject_max) {
                continue;
            }
            let Some(rows) = rows_of(&reader, group, &members)? else { continue };
            let batch = reader.read_rows(group, &NARROW, &rows).map_err(storage)?;
            let narrow = Narrow::of(&batch)?;
            let screen = snapshot.hidden.in_group(segment, info);
            for row in 0..rows.len() {
                let place = narrow.place(row);
                if screen.is_some_and(|s| s.hides(narrow.subjects[row], place.1, place.2)) {
                    continue;
                }
                let person = resolve.of_row(narrow.subjects[row], place.1, place.2);
                if persons.contains(&person) && Names::Any.mean(narrow.name(row)) {
                    let count = counts.entry(person).or_insert((0, Millis::MAX, Millis::MIN));
                    *count = (count.0 + 1, count.1.min(place.0), count.2.max(place.0));
                }
            }
        }
    }
    Ok(counts)
}

/// A row that may be among the newest.
enum Candidate {
    /// Where it is.
    At { segment: usize, group: usize, row: u32 },
    /// All of it: few rows of a person cost no more whole than in part.
    Whole(Box<EventRow>),
}

/// The newest rows so far.
struct Best {
    limit: usize,
    /// The oldest on top.
    places: BinaryHeap<Reverse<(Place, usize)>>,
    candidates: Vec<Candidate>,
}

impl Best {
    fn none() -> Best {
        Best { limit: 0, places: BinaryHeap::new(), candidates: Vec::new() }
    }

    /// True if nothing at or before this time can be among them.
    fn enough(&self, time: Millis) -> bool {
        self.places.len() >= self.limit && self.places.peek().is_none_or(|Reverse((place, _))| time < place.0)
    }

    fn offer(&mut self, place: Place, candidate: Candidate) {
        if self.places.len() >= self.limit {
            match self.places.peek() {
                Some(Reverse((oldest, _))) if *oldest < place => drop(self.places.pop()),
                _ => return,
            }
        }
        self.places.push(Reverse((place, self.candidates.len())));
        self.candidates.push(candidate);
    }
}

struct Finder<'a> {
    snapshot: &'a Snapshot,
    query: &'a RowQuery,
    context: &'a Context,
    /// Subjects of the person, ascending; empty without a person.
    members: Vec<u32>,
    readers: Vec<SegmentReader>,
    best: Best,
}

impl<'a> Finder<'a> {
    fn new(snapshot: &'a Snapshot, query: &'a RowQuery, context: &'a Context) -> Finder<'a> {
        let members = query.person.map(|p| members_of(snapshot, &[p])).unwrap_or_default();
        let best = Best { limit: query.limit, places: BinaryHeap::new(), candidates: Vec::new() };
        Finder { snapshot, query, context, members, readers: Vec::new(), best }
    }

    fn search(&mut self, segments: &[&SegmentMeta]) -> Result<(), QueryError> {
        let mut tasks: Vec<(usize, usize)> = Vec::new();
        for segment in segments {
            let reader = SegmentReader::open(&self.snapshot.store, segment).map_err(storage)?;
            let groups = self.groups(&reader)?;
            tasks.extend(groups.into_iter().map(|group| (self.readers.len(), group)));
            self.readers.push(reader);
        }
        let newest = |(segment, group): &(usize, usize)| self.readers[*segment].row_groups()[*group].time_max;
        tasks.sort_by_key(|task| Reverse(newest(task)));
        if self.query.person.is_none() {
            for (segment, group) in tasks {
                if self.best.enough(self.readers[segment].row_groups()[group].time_max) {
                    break;
                }
                // Taken out for the moment, because the rows are looked at through the finder.
                let mut best = std::mem::replace(&mut self.best, Best::none());
                let done = self.search_group(segment, group, &mut |place, row| best.offer(place, row));
                self.best = best;
                done?;
            }
            return Ok(());
        }
        let found = fold_parallel(THREADS, tasks, Vec::new, |found, (segment, group)| {
            self.search_group(segment, group, &mut |place, row| found.push((place, row)))
        })?;
        found.into_iter().flatten().for_each(|(place, row)| self.best.offer(place, row));
        Ok(())
    }

    /// Row groups that may hold wanted rows.
    fn groups(&self, reader: &SegmentReader) -> Result<Vec<usize>, QueryError> {
        let infos = reader.row_groups();
        let of_person = match self.query.person {
            None => None,
            Some(_) => reader.groups_of(&self.members).map_err(storage)?,
        };
        let mut groups = of_person.unwrap_or_else(|| (0..infos.len()).collect());
        groups.retain(|group| {
            let info = &infos[*group];
            let meant = self.query.names.as_ref().is_none_or(|names| may_occur(names, info));
            let of_person =
                self.query.person.is_none() || touches(&self.members, info.subject_min, info.subject_max);
            meant && of_person && info.time_max >= self.query.from && info.time_min < self.query.to
        });
        Ok(groups)
    }

    fn search_group(
        &self,
        segment: usize,
        group: usize,
        offer: &mut dyn FnMut(Place, Candidate),
    ) -> Result<(), QueryError> {
        self.context.cancel.check()?;
        let reader = &self.readers[segment];
        let rows = match self.query.person {
            None => None,
            Some(_) => match rows_of(reader, group, &self.members)? {
                Some(rows) => Some(rows),
                None => return Ok(()),
            },
        };
        let query = self.query;
        let persons = Persons::of(self.snapshot);
        let screen = self.snapshot.hidden.in_group(reader.meta(), &reader.row_groups()[group]);
        let is_meant = |subject: u32, place: Place| {
            (query.from <= place.0 && place.0 < query.to)
                && query.before.is_none_or(|before| place < before)
                && screen.is_none_or(|screen| !screen.hides(subject, place.1, place.2))
                && query.person.is_none_or(|person| person == persons.of_row(subject, place.1, place.2))
        };
        let is_named = |name: &str| query.names.as_ref().is_none_or(|names| names.contains(name));
        if let Some(rows) = rows.as_ref().filter(|rows| rows.len() <= query.limit) {
            for row in pick(self.snapshot, reader, group, rows)? {
                let place = (row.time, row.received_at, row.position.pack());
                if is_named(&row.event) && is_meant(row.subject.0, place) {
                    offer(place, Candidate::Whole(Box::new(row)));
                }
            }
            return Ok(());
        }
        let batch = match &rows {
            None => read(reader, group, &NARROW)?,
            Some(rows) => reader.read_rows(group, &NARROW, rows).map_err(storage)?,
        };
        let narrow = Narrow::of(&batch)?;
        let named = narrow.names(is_named);
        // From the end: files mostly ascend in time, and later rows push out earlier ones.
        for row in (0..batch.num_rows()).rev() {
            let place = narrow.place(row);
            if named[narrow.keys[row] as usize] && is_meant(narrow.subjects[row], place) {
                let row = rows.as_ref().map_or(row as u32, |rows| rows[row]);
                offer(place, Candidate::At { segment, group, row });
            }
        }
        Ok(())
    }

    fn fetch(self) -> Result<Vec<FoundRow>, QueryError> {
        let mut by_group: BTreeMap<(usize, usize), Vec<u32>> = BTreeMap::new();
        let persons = Persons::of(self.snapshot);
        let best: BTreeSet<usize> = self.best.places.iter().map(|Reverse((_, index))| *index).collect();
        let mut rows = Vec::with_capacity(best.len());
        for (index, candidate) in self.best.candidates.into_iter().enumerate() {
            match candidate {
                _ if !best.contains(&index) => {}
                Candidate::At { segment, group, row } => {
                    by_group.entry((segment, group)).or_default().push(row);
                }
                Candidate::Whole(row) => rows.push(found(&persons, *row)),
            }
        }
        let parts: Vec<_> = by_group.into_iter().collect();
        let found_rows = fold_parallel(THREADS, parts, Vec::new, |rows, ((segment, group), mut wanted)| {
            self.context.cancel.check()?;
            wanted.sort_unstable();
            let reader = &self.readers[segment];
            let picked = pick(self.snapshot, reader, group, &wanted)?;
            rows.extend(picked.into_iter().map(|row| found(&persons, row)));
            Ok(())
        })?;
        rows.extend(found_rows.into_iter().flatten());
        rows.sort_by_key(|r| Reverse(r.place));
        Ok(rows)
    }
}

/// Subjects of these persons, ascending.
fn members_of(snapshot: &Snapshot, persons: &[u32]) -> Vec<u32> {
    let mut members: Vec<u32> =
        persons.iter().flat_map(|p| snapshot.identity.members(*p)).map(|s| s.0).collect();
    members.sort_unstable();
    members.dedup();
    members
}

fn may_occur(names: &BTreeSet<String>, group: &RowGroup) -> bool {
    match &group.names {
        Some(have) => have.iter().any(|n| names.contains(n)),
        None => names.range(group.name_min.clone()..=group.name_max.clone()).next().is_some(),
    }
}

/// True if any of the sorted numbers lies between two.
fn touches(sorted: &[u32], min: u32, max: u32) -> bool {
    sorted.get(sorted.partition_point(|s| *s < min)).is_some_and(|s| *s <= max)
}

/// Rows of these subjects; `None` if there are none. Reads one column.
fn rows_of(reader: &SegmentReader, group: usize, members: &[u32]) -> Result<Option<Vec<u32>>, QueryError> {
    let batch = read(reader, group, &[Column::Subject])?;
    let subjects = batch.column(0).as_primitive_opt::<UInt32Type>().ok_or_else(mistyped)?.values();
    let mut rows = Vec::new();
    match members {
        [only] => rows.extend((0..subjects.len() as u32).filter(|r| subjects[*r as usize] == *only)),
        _ => rows.extend(
            (0..subjects.len() as u32).filter(|r| members.binary_search(&subjects[*r as usize]).is_ok()),
        ),
    }
    Ok(Some(rows).filter(|rows| !rows.is_empty()))
}

const NARROW: [Column; 5] =
    [Column::Event, Column::Subject, Column::Time, Column::ReceivedAt, Column::Position];

struct Narrow<'a> {
    keys: &'a [i32],
    names: &'a arrow::array::StringArray,
    subjects: &'a [u32],
    times: &'a [i64],
    received: &'a [i64],
    positions: &'a [u64],
}

impl<'a> Narrow<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Narrow<'a>, QueryError> {
        let events = batch.column(0).as_dictionary_opt::<Int32Type>().ok_or_else(mistyped)?;
        let longs = |n: usize| batch.column(n).as_primitive_opt::<Int64Type>().ok_or_else(mistyped);
        Ok(Narrow {
            keys: events.keys().values(),
            names: events.values().as_string_opt::<i32>().ok_or_else(mistyped)?,
            subjects: batch.column(1).as_primitive_opt::<UInt32Type>().ok_or_else(mistyped)?.values(),
            times: longs(2)?.values(),
            received: longs(3)?.values(),
            positions: batch.column(4).as_primitive_opt::<UInt64Type>().ok_or_else(mistyped)?.values(),
        })
    }
    fn place(&self, row: usize) -> Place {
        (self.times[row], self.received[row], self.positions[row])
    }
    fn name(&self, row: usize) -> &str {
        self.names.value(self.keys[row] as usize)
    }
    fn names(&self, test: impl Fn(&str) -> bool) -> Vec<bool> {
        (0..self.names.len()).map(|i| self.names.is_valid(i) && test(self.names.value(i))).collect()
    }
}

/// Chosen rows of a row group, ascending.
fn pick(
    snapshot: &Snapshot,
    reader: &SegmentReader,
    group: usize,
    rows: &[u32],
) -> Result<Vec<EventRow>, QueryError> {
    // A row's subject is its user if it has one. To know it from there saves a dictionary of all users of the row group.
    let mut found = reader.event_rows_without(group, rows, &[Column::UserId]).map_err(storage)?;
    for row in &mut found {
        match snapshot.names.get(row.subject) {
            Some((SubjectKind::User, id)) => row.user_id = Some(id.to_owned()),
            Some((SubjectKind::Device, _)) => {}
            None if row.subject.is_none() => {}
            None => return reader.event_rows(group, rows).map_err(storage),
        }
    }
    Ok(found)
}

fn read(reader: &SegmentReader, group: usize, columns: &[Column]) -> Result<RecordBatch, QueryError> {
    reader.read(group, columns).map_err(storage)
}
