//! Finding the rows that late records ask for: every visible one of some devices, after a place of the log.
//!
//! Guarantees: masked rows are left out; a segment that cannot hold an answer is not opened.
//! Deliberately not here: when it is asked (`steps::sights`), which is almost never.

use crate::error::ProcessorError;
use crate::steps::sights::{SightAsk, SightRow, Sights};
use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{Int32Type, Int64Type, UInt64Type};
use std::collections::BTreeMap;
use tallymark_catalog::{SegmentKind, SegmentMeta, Snapshots};
use tallymark_ledger::Interval;
use tallymark_model::{CommitSeq, Position, ProjectId, Seq};
use tallymark_state::State;
use tallymark_store::{Column, ObjectStore, SegmentReader, StoreError};

/// Answers these asks from the rows of a commit's snapshot. `held` leaves rows out that were not in the books yet, for
/// a commit that is derived again from the rows of now.
pub async fn find_sights(
    catalog: &(impl Snapshots + ?Sized),
    store: &ObjectStore,
    state: &State,
    asks: Vec<SightAsk>,
    at: Option<CommitSeq>,
    held: impl Fn(Position) -> bool + Send,
) -> Result<Sights, ProcessorError> {
    let mut sights = Sights::default();
    let mut projects: BTreeMap<ProjectId, Vec<SightAsk>> = BTreeMap::new();
    for ask in asks {
        projects.entry(ask.project).or_default().push(ask);
    }
    for (project, asks) in projects {
        let snapshot = catalog.snapshot(project, at).await?;
        let after = asks.iter().map(|a| a.after.received_at).min().unwrap_or(i64::MAX);
        let may = |s: &&SegmentMeta| s.kind == SegmentKind::Events && s.received_max >= after;
        let wanted: Vec<(SegmentMeta, Vec<Interval>)> = snapshot
            .segments
            .iter()
            .filter(may)
            .map(|s| (s.clone(), snapshot.masked.get(&s.id).cloned().unwrap_or_default()))
            .collect();
        let (store, names) = (store.clone(), asks.iter().map(|a| (a.raw.clone(), a.after)).collect());
        let read = tokio::task::spawn_blocking(move || read_all(&store, &wanted, &names));
        let mut found =
            read.await.map_err(|e| ProcessorError::Panicked { step: "sights", message: e.to_string() })??;
        for ask in &asks {
            let rows = found.remove(&ask.raw).unwrap_or_default();
            let held = |r: &SightRow| Position::unpack(r.seq.position).is_some_and(&held);
            sights.add(state, ask, rows.into_iter().filter(held));
        }
    }
    Ok(sights)
}

type Names = BTreeMap<String, Seq>;
type Found = BTreeMap<String, Vec<SightRow>>;

fn read_all(
    store: &ObjectStore,
    segments: &[(SegmentMeta, Vec<Interval>)],
    names: &Names,
) -> Result<Found, ProcessorError> {
    let mut found = Found::new();
    for (meta, masked) in segments {
        let reader = SegmentReader::open(store, meta)?;
        for group in 0..reader.row_groups().len() {
            read_group(&reader, group, masked, names, &mut found)?;
        }
    }
    Ok(found)
}

fn read_group(
    reader: &SegmentReader,
    group: usize,
    masked: &[Interval],
    names: &Names,
    found: &mut Found,
) -> Result<(), ProcessorError> {
    let mistyped = || StoreError::Corrupt {
        key: reader.meta().key.clone(),
        detail: "a column has an unexpected type".to_owned(),
    };
    let devices = reader.read(group, &[Column::DeviceId])?;
    let devices = Texts::of(devices.column(0)).ok_or_else(mistyped)?;
    let rows: Vec<u32> = (0..devices.len() as u32)
        .filter(|row| devices.get(*row as usize).is_some_and(|d| names.contains_key(d)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [Column::DeviceId, Column::UserId, Column::Event, Column::Position, Column::ReceivedAt];
    let batch = reader.read_rows(group, &columns, &rows)?;
    let text = |n: usize| Texts::of(batch.column(n)).ok_or_else(mistyped);
    let (devices, users, events) = (text(0)?, text(1)?, text(2)?);
    let positions = batch.column(3).as_primitive_opt::<UInt64Type>().ok_or_else(mistyped)?;
    let received = batch.column(4).as_primitive_opt::<Int64Type>().ok_or_else(mistyped)?;
    for row in 0..batch.num_rows() {
        let seq = Seq { received_at: received.value(row), position: positions.value(row) };
        let hidden = Position::unpack(seq.position).is_none_or(|p| masked.iter().any(|m| m.contains(p)));
        let Some(device) = devices.get(row).filter(|d| names.get(*d).is_some_and(|after| seq > *after))
        else {
            continue;
        };
        if !hidden {
            let event = events.get(row).unwrap_or_default().to_owned();
            let user = users.get(row).map(str::to_owned);
            found.entry(device.to_owned()).or_default().push(SightRow { seq, user, event });
        }
    }
    Ok(())
}

/// A text column, with or without a dictionary.
enum Texts {
    Plain(StringArray),
    Dictionary { keys: arrow::array::Int32Array, values: StringArray },
}

impl Texts {
    fn of(column: &ArrayRef) -> Option<Texts> {
        if let Some(plain) = column.as_string_opt::<i32>() {
            return Some(Texts::Plain(plain.clone()));
        }
        let held = column.as_dictionary_opt::<Int32Type>()?;
        let values = held.values().as_string_opt::<i32>()?.clone();
        Some(Texts::Dictionary { keys: held.keys().clone(), values })
    }

    fn len(&self) -> usize {
        match self {
            Texts::Plain(plain) => plain.len(),
            Texts::Dictionary { keys, .. } => keys.len(),
        }
    }

    fn get(&self, row: usize) -> Option<&str> {
        match self {
            Texts::Plain(plain) => plain.is_valid(row).then(|| plain.value(row)),
            Texts::Dictionary { keys, values } => {
                let key = keys.is_valid(row).then(|| keys.value(row) as usize)?;
                values.is_valid(key).then(|| values.value(key))
            }
        }
    }
}
