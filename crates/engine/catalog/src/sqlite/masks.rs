//! Positions whose rows do not count in segments that were added before the mask.
//!
//! Guarantees: a mask never touches a segment of its own commit or of a later one.
//! Deliberately not here: leaving the rows out (`query`, `compactor`).

use super::{SqliteCatalog, int, shard_of, uint};
use crate::{CatalogError, Mask, SegmentMeta};
use sqlx::{Row, SqliteConnection};
use std::collections::BTreeMap;
use tallymark_ledger::{Interval, IntervalSet};
use tallymark_model::{CommitSeq, SegmentId, Shard};

pub(super) async fn set(tx: &mut SqliteConnection, seq: i64, masks: &[Interval]) -> Result<(), CatalogError> {
    for mask in masks {
        sqlx::query("INSERT INTO masks (seq, lane, part, from_pos, to_pos) VALUES (?, ?, ?, ?, ?)")
            .bind(seq)
            .bind(mask.shard.lane as i64)
            .bind(i64::from(mask.shard.partition))
            .bind(int(mask.from))
            .bind(int(mask.to))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// The masks set up to and including a commit, by shard.
pub(super) async fn upto(
    tx: &mut SqliteConnection,
    seq: CommitSeq,
) -> Result<BTreeMap<Shard, Vec<Mask>>, CatalogError> {
    let rows =
        sqlx::query("SELECT seq, lane, part, from_pos, to_pos FROM masks WHERE seq <= ? ORDER BY from_pos")
            .bind(int(seq.0))
            .fetch_all(tx)
            .await?;
    let mut masks: BTreeMap<Shard, Vec<Mask>> = BTreeMap::new();
    for row in &rows {
        let interval = Interval::new(shard_of(row)?, uint(row, "from_pos")?, uint(row, "to_pos")?);
        masks.entry(interval.shard).or_default().push(Mask { seq: CommitSeq(uint(row, "seq")?), interval });
    }
    Ok(masks)
}

/// The masks over one segment that was added by `added`.
pub(super) fn over(masks: &BTreeMap<Shard, Vec<Mask>>, added: CommitSeq, segment: &SegmentMeta) -> Vec<Mask> {
    let mut found = Vec::new();
    for source in &segment.sources {
        for mask in masks.get(&source.interval.shard).into_iter().flatten() {
            if mask.seq > added && mask.interval.overlaps(&source.interval) {
                let Interval { shard, from, to } = mask.interval;
                let interval =
                    Interval::new(shard, from.max(source.interval.from), to.min(source.interval.to));
                found.push(Mask { seq: mask.seq, interval });
            }
        }
    }
    found
}

/// The same as the fewest intervals.
pub(super) fn intervals(masks: &[Mask]) -> Vec<Interval> {
    masks.iter().map(|m| m.interval).collect::<IntervalSet>().iter().collect()
}

/// The first of these live segments that has a mask newer than `as_of`.
pub(super) async fn newer_than(
    tx: &mut SqliteConnection,
    as_of: CommitSeq,
    segments: &[SegmentMeta],
) -> Result<Option<SegmentId>, CatalogError> {
    let mut masks = upto(tx, CommitSeq(u64::MAX)).await?;
    masks.values_mut().for_each(|m| m.retain(|m| m.seq > as_of));
    Ok(segments.iter().find(|s| !over(&masks, as_of, s).is_empty()).map(|s| s.id))
}

/// The masks of these live segments.
pub(super) async fn of(
    catalog: &SqliteCatalog,
    ids: &[SegmentId],
) -> Result<Vec<(SegmentId, Vec<Mask>)>, CatalogError> {
    let mut tx = catalog.read.begin().await?;
    let masks = upto(&mut tx, CommitSeq(u64::MAX)).await?;
    let mut found = Vec::new();
    if masks.is_empty() {
        return Ok(found);
    }
    for id in ids {
        let row = sqlx::query("SELECT added_seq, meta FROM segments WHERE id = ? AND removed_seq IS NULL")
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { continue };
        let segment = super::read::segment(row.try_get("meta")?)?;
        let over = over(&masks, CommitSeq(uint(&row, "added_seq")?), &segment);
        if !over.is_empty() {
            found.push((*id, over));
        }
    }
    Ok(found)
}

/// Drops masks that no segment is old enough for, forgotten ones aside: snapshots of the past still need theirs.
pub(super) async fn drop_spent(catalog: &SqliteCatalog) -> Result<u64, CatalogError> {
    let mut tx = catalog.begin().await?;
    let masks = upto(&mut tx, CommitSeq(u64::MAX)).await?;
    let rows = sqlx::query("SELECT added_seq, meta FROM segments").fetch_all(&mut *tx).await?;
    let mut needed: BTreeMap<Shard, Vec<Mask>> = BTreeMap::new();
    for row in &rows {
        let segment = super::read::segment(row.try_get("meta")?)?;
        let added = CommitSeq(uint(row, "added_seq")?);
        for source in &segment.sources {
            let shard = source.interval.shard;
            let over = |m: &&Mask| m.seq > added && m.interval.overlaps(&source.interval);
            needed.entry(shard).or_default().extend(masks.get(&shard).into_iter().flatten().filter(over));
        }
    }
    let mut dropped = 0;
    for (shard, masks) in &masks {
        let needed = needed.get(shard).map_or(&[][..], Vec::as_slice);
        for mask in masks.iter().filter(|m| !needed.contains(m)) {
            dropped += sqlx::query(
                "DELETE FROM masks WHERE seq = ? AND lane = ? AND part = ? AND from_pos = ? AND to_pos = ?",
            )
            .bind(int(mask.seq.0))
            .bind(shard.lane as i64)
            .bind(i64::from(shard.partition))
            .bind(int(mask.interval.from))
            .bind(int(mask.interval.to))
            .execute(&mut *tx)
            .await?
            .rows_affected();
        }
    }
    tx.commit().await?;
    Ok(dropped)
}
