//! The reading side: feed, snapshots, cursors, the books.
//!
//! Guarantees: each answer comes from one read transaction, so it belongs to one commit sequence (I7).
//! Deliberately not here: writing.

use super::{SqliteCatalog, int, masks, restate, shard_of, uint};
use crate::{
    Advance, Books, CatalogError, CommitRecord, Cursor, Feed, LedgerRow, RestatedRow, SegmentMeta, Snapshot,
    Snapshots,
};
use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::collections::BTreeMap;
use tallymark_ledger::{Account, Fingerprint, Interval, Tally};
use tallymark_model::{CommitId, CommitSeq, LogId, Millis, ProjectId, Shard};

#[async_trait]
impl Feed for SqliteCatalog {
    async fn feed(&self, after: CommitSeq, limit: usize) -> Result<Vec<CommitRecord>, CatalogError> {
        let mut tx = self.read.begin().await?;
        let rows = sqlx::query(
            "SELECT seq, id, delta, advances, removed, created_at, origin, restated, masks FROM commits WHERE seq > ? ORDER BY seq LIMIT ?",
        )
        .bind(int(after.0))
        .bind(int(limit as u64))
        .fetch_all(&mut *tx)
        .await?;
        let mut records = rows.iter().map(commit_record).collect::<Result<Vec<_>, _>>()?;
        let Some(last) = records.last().map(|r| r.seq) else { return Ok(records) };
        let added =
            sqlx::query("SELECT added_seq, meta FROM segments WHERE added_seq > ? AND added_seq <= ?")
                .bind(int(after.0))
                .bind(int(last.0))
                .fetch_all(&mut *tx)
                .await?;
        for row in &added {
            let seq = CommitSeq(uint(row, "added_seq")?);
            if let Ok(i) = records.binary_search_by_key(&seq, |r| r.seq) {
                records[i].added.push(segment(row.try_get("meta")?)?);
            }
        }
        Ok(records)
    }

    async fn latest_seq(&self) -> Result<CommitSeq, CatalogError> {
        let mut connection = self.read.acquire().await?;
        latest(&mut connection).await
    }
}

#[async_trait]
impl Snapshots for SqliteCatalog {
    async fn snapshot(&self, project: ProjectId, at: Option<CommitSeq>) -> Result<Snapshot, CatalogError> {
        let mut tx = self.read.begin().await?;
        let seq = known_seq(&mut tx, at).await?;
        let created_at: Option<Millis> = sqlx::query_scalar("SELECT created_at FROM commits WHERE seq = ?")
            .bind(int(seq.0))
            .fetch_optional(&mut *tx)
            .await?;
        // Two ranges of two partial indexes: live ones, and those removed only after the sequence.
        let rows = sqlx::query(
            "SELECT added_seq, meta FROM segments WHERE project = ?1 AND removed_seq IS NULL AND added_seq <= ?2
             UNION ALL
             SELECT added_seq, meta FROM segments WHERE project = ?1 AND removed_seq > ?2 AND added_seq <= ?2",
        )
        .bind(i64::from(project.0))
        .bind(int(seq.0))
        .fetch_all(&mut *tx)
        .await?;
        let masks = masks::upto(&mut tx, seq).await?;
        let (mut segments, mut masked) = (Vec::with_capacity(rows.len()), BTreeMap::new());
        for row in &rows {
            let meta = segment(row.try_get("meta")?)?;
            let over = masks::over(&masks, CommitSeq(uint(row, "added_seq")?), &meta);
            if !over.is_empty() {
                masked.insert(meta.id, masks::intervals(&over));
            }
            segments.push(meta);
        }
        // A fixed order, so that answers that depend on it are the same every time.
        segments.sort_by_key(|s| (s.level, s.time_min, s.id));
        let cursors = cursors_at(&mut tx, seq).await?;
        Ok(Snapshot { seq, created_at: created_at.unwrap_or(0), segments, masked, cursors })
    }

    async fn cursors(&self) -> Result<Vec<Cursor>, CatalogError> {
        let mut connection = self.read.acquire().await?;
        current_cursors(&mut connection).await
    }

    async fn cursors_at(&self, at: CommitSeq) -> Result<Vec<(Shard, u64)>, CatalogError> {
        let mut tx = self.read.begin().await?;
        let seq = known_seq(&mut tx, Some(at)).await?;
        cursors_at(&mut tx, seq).await
    }

    async fn ledger(
        &self,
        project: Option<ProjectId>,
        from: Option<Millis>,
        to: Option<Millis>,
    ) -> Result<Vec<LedgerRow>, CatalogError> {
        let mut connection = self.read.acquire().await?;
        ledger_rows(&mut connection, project, from, to).await
    }

    async fn books(
        &self,
        project: ProjectId,
        from: Option<Millis>,
        to: Option<Millis>,
    ) -> Result<Books, CatalogError> {
        let mut tx = self.read.begin().await?;
        let rows = ledger_rows(&mut tx, Some(project), from, to).await?;
        let anomalies = restate::anomalies_in(&mut tx).await?;
        Ok(Books {
            seq: latest(&mut tx).await?,
            cursors: current_cursors(&mut tx).await?,
            rows,
            project: tally_of(&mut tx, Some(project)).await?,
            instance: tally_of(&mut tx, None).await?,
            anomalies,
        })
    }

    async fn tally(&self, project: Option<ProjectId>) -> Result<Tally, CatalogError> {
        let mut connection = self.read.acquire().await?;
        tally_of(&mut connection, project).await
    }

    async fn restatements(
        &self,
        from: Option<Millis>,
        to: Option<Millis>,
        limit: usize,
    ) -> Result<Vec<RestatedRow>, CatalogError> {
        restate::history(self, from, to, limit).await
    }

    async fn skipped(&self) -> Result<Vec<LedgerRow>, CatalogError> {
        let mut rows = restate::anomalies(self).await?;
        rows.retain(|r| matches!(r.account, Account::Skipped { .. }));
        Ok(rows)
    }

    async fn anomalies(&self) -> Result<Vec<LedgerRow>, CatalogError> {
        restate::anomalies(self).await
    }

    async fn log_id(&self) -> Result<Option<LogId>, CatalogError> {
        let mut connection = self.read.acquire().await?;
        super::log_id(&mut connection).await
    }
}

pub(super) async fn ledger_rows(
    connection: &mut SqliteConnection,
    project: Option<ProjectId>,
    from: Option<Millis>,
    to: Option<Millis>,
) -> Result<Vec<LedgerRow>, CatalogError> {
    let rows = sqlx::query(
        "SELECT l.lane, l.part, l.from_pos, l.to_pos, l.account, l.received_from, l.received_to,
                p.visible, p.duplicate, p.filtered, p.dead, p.control, p.hole, p.fingerprint
         FROM ledger l LEFT JOIN project_ledger p
           ON p.project = ?1 AND p.lane = l.lane AND p.part = l.part AND p.from_pos = l.from_pos
         WHERE l.received_to >= ?2 AND l.received_from < ?3
         ORDER BY l.lane, l.part, l.from_pos",
    )
    .bind(project.map_or(-1, |p| i64::from(p.0)))
    .bind(from.unwrap_or(Millis::MIN))
    .bind(to.unwrap_or(Millis::MAX))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| ledger_row(row, project.is_some())).filter_map(Result::transpose).collect()
}

async fn tally_of(
    connection: &mut SqliteConnection,
    project: Option<ProjectId>,
) -> Result<Tally, CatalogError> {
    let row = sqlx::query(
        "SELECT coalesce(sum(visible), 0) AS visible, coalesce(sum(duplicate), 0) AS duplicate,
                coalesce(sum(filtered), 0) AS filtered, coalesce(sum(dead), 0) AS dead,
                coalesce(sum(control), 0) AS control, coalesce(sum(hole), 0) AS hole
         FROM project_ledger WHERE ?1 IS NULL OR project = ?1",
    )
    .bind(project.map(|p| i64::from(p.0)))
    .fetch_one(connection)
    .await?;
    tally(&row)
}

async fn latest(connection: &mut SqliteConnection) -> Result<CommitSeq, CatalogError> {
    let seq: i64 =
        sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM commits").fetch_one(connection).await?;
    Ok(CommitSeq(seq as u64))
}

async fn known_seq(tx: &mut SqliteConnection, at: Option<CommitSeq>) -> Result<CommitSeq, CatalogError> {
    let latest = latest(tx).await?;
    match at {
        Some(wanted) if wanted > latest => Err(CatalogError::UnknownSeq { wanted, latest }),
        Some(wanted) => Ok(wanted),
        None => Ok(latest),
    }
}

async fn current_cursors(connection: &mut SqliteConnection) -> Result<Vec<Cursor>, CatalogError> {
    let rows = sqlx::query("SELECT lane, part, position, received_to FROM cursor ORDER BY lane, part")
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let (shard, position) = (shard_of(row)?, uint(row, "position")?);
            Ok(Cursor { shard, position, received_to: row.try_get("received_to")? })
        })
        .collect()
}

/// Cursors move by equality, so the cursor before a commit is where that commit's first advance starts.
async fn cursors_at(tx: &mut SqliteConnection, seq: CommitSeq) -> Result<Vec<(Shard, u64)>, CatalogError> {
    let mut cursors: BTreeMap<Shard, u64> =
        current_cursors(tx).await?.into_iter().map(|c| (c.shard, c.position)).collect();
    let later: Vec<String> =
        sqlx::query_scalar("SELECT advances FROM commits WHERE seq > ? ORDER BY seq DESC")
            .bind(int(seq.0))
            .fetch_all(tx)
            .await?;
    for text in later {
        let advances: Vec<Advance> = serde_json::from_str(&text).map_err(CatalogError::corrupt("commits"))?;
        for advance in advances.iter().rev() {
            cursors.insert(advance.shard, advance.from);
        }
    }
    Ok(cursors.into_iter().filter(|(_, position)| *position > 0).collect())
}

fn commit_record(row: &SqliteRow) -> Result<CommitRecord, CatalogError> {
    let id: String = row.try_get("id")?;
    Ok(CommitRecord {
        seq: CommitSeq(uint(row, "seq")?),
        id: CommitId(id.parse().map_err(|e| column("id", e))?),
        delta: row.try_get("delta")?,
        advances: serde_json::from_str(row.try_get("advances")?).map_err(CatalogError::corrupt("commits"))?,
        created_at: row.try_get("created_at")?,
        added: Vec::new(),
        removed: serde_json::from_str(row.try_get("removed")?).map_err(CatalogError::corrupt("commits"))?,
        origin: serde_json::from_str(row.try_get("origin")?).map_err(CatalogError::corrupt("commits"))?,
        restated: serde_json::from_str(row.try_get("restated")?).map_err(CatalogError::corrupt("commits"))?,
        masks: serde_json::from_str(row.try_get("masks")?).map_err(CatalogError::corrupt("commits"))?,
    })
}

/// `None` for an accounted row in which the project that was asked for has no record.
fn ledger_row(row: &SqliteRow, of_project: bool) -> Result<Option<LedgerRow>, CatalogError> {
    let interval = Interval::new(shard_of(row)?, uint(row, "from_pos")?, uint(row, "to_pos")?);
    let account: Account =
        serde_json::from_str(row.try_get("account")?).map_err(CatalogError::corrupt("ledger"))?;
    let part: Option<String> = row.try_get("fingerprint")?;
    let (tally, visible) = match (&account, of_project, part) {
        (_, true, Some(sum)) => (tally(row)?, fingerprint(&sum)),
        (Account::Accounted { .. }, true, None) => return Ok(None),
        (Account::Accounted { tally, visible }, false, _) => (*tally, *visible),
        _ => (Tally::default(), Fingerprint::default()),
    };
    Ok(Some(LedgerRow {
        interval,
        account,
        received_from: row.try_get("received_from")?,
        received_to: row.try_get("received_to")?,
        tally,
        visible,
    }))
}

pub(super) fn tally(row: &SqliteRow) -> Result<Tally, CatalogError> {
    Ok(Tally {
        visible: uint(row, "visible")?,
        duplicate: uint(row, "duplicate")?,
        filtered: uint(row, "filtered")?,
        dead: uint(row, "dead")?,
        control: uint(row, "control")?,
        hole: uint(row, "hole")?,
    })
}

pub(super) fn segment(meta: &str) -> Result<SegmentMeta, CatalogError> {
    serde_json::from_str(meta).map_err(CatalogError::corrupt("segments"))
}

/// A fingerprint that cannot be read becomes zero, which every later comparison reports as I4.
pub(super) fn fingerprint(text: &str) -> Fingerprint {
    u128::from_str_radix(text, 16).map(Fingerprint).unwrap_or_default()
}

fn column(name: &str, source: impl std::error::Error + Send + Sync + 'static) -> CatalogError {
    CatalogError::Database(sqlx::Error::ColumnDecode { index: name.to_owned(), source: Box::new(source) })
}
