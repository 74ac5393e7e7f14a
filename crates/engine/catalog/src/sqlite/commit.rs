//! The transaction that makes things visible (design: the commit protocol).
//!
//! Guarantees: applied as a whole or not at all (I6); what the commit claims is proved here again although the
//! committer proved it before sending (I3, I4, I13); a retry of an applied commit is recognised by its id.
//! Deliberately not here: writing segments or deltas; reading.

use super::{SqliteCatalog, int, masks, restate, uint};
use crate::{Advance, CatalogError, Commit, CommitAnswer, Commits, LeaseName, SegmentMeta};
use async_trait::async_trait;
use sqlx::{Row, SqliteConnection};
use std::collections::HashSet;
use tallymark_ledger::{
    Account, Entry, Fingerprint, Interval, InvariantId, Part, Restatement, Tally, Violation, check_commit,
    check_compaction, check_segment,
};
use tallymark_model::{CommitId, CommitSeq, Epoch, Millis, ProjectId, SegmentId};

/// Ledger rows close at each hour of receive time, so that a range of time touches few of them.
pub(super) const LEDGER_ROW_MS: Millis = 3_600_000;

#[async_trait]
impl Commits for SqliteCatalog {
    async fn commit(&self, commit: &Commit) -> Result<CommitAnswer, CatalogError> {
        check(commit)?;
        let mut tx = self.begin().await?;
        // Dropping the transaction rolls back: every early return changes nothing.
        if let Some(seq) = seq_of(&mut tx, commit.id).await? {
            return Ok(CommitAnswer::Already(seq));
        }
        if let Some(fenced) = fence(&mut tx, commit).await? {
            return Ok(fenced);
        }
        for advance in &commit.advances {
            if let Some(refused) = move_cursor(&mut tx, commit.epoch, advance).await? {
                return Ok(refused);
            }
            book(&mut tx, advance).await?;
        }
        for restatement in &commit.restate {
            if let Some(refused) = restate::apply(&mut tx, restatement).await? {
                return Ok(refused);
            }
        }
        let removed = match live_metas(&mut tx, &commit.remove).await? {
            Ok(metas) => metas,
            Err(missing) => return Ok(CommitAnswer::Conflict { missing }),
        };
        if let Some(segment) = masks::newer_than(&mut tx, commit.as_of, &removed).await? {
            return Ok(CommitAnswer::Masked { segment });
        }
        if !makes_rows(commit) {
            let left_out: Vec<_> =
                commit.left_out.iter().map(|l| (l.segment, l.rows, l.fingerprint)).collect();
            refuse(check_compaction(&removed, &commit.add, &left_out))?;
        }
        let seq = record(&mut tx, commit).await?;
        tx.commit().await?;
        Ok(CommitAnswer::Applied(seq))
    }

    async fn status(&self, id: CommitId) -> Result<Option<CommitSeq>, CatalogError> {
        // On the writing connection: an ambiguous commit of this process is decided before it answers.
        let mut connection = self.write.acquire().await?;
        seq_of(&mut connection, id).await
    }
}

/// True if its segments hold newly decided records; else they hold what the removed ones held.
fn makes_rows(commit: &Commit) -> bool {
    !commit.advances.is_empty() || (!commit.restate.is_empty() && commit.remove.is_empty())
}

/// Everything that can be judged without the database.
fn check(commit: &Commit) -> Result<(), CatalogError> {
    if !commit.advances.is_empty() && !commit.remove.is_empty() {
        return Err(CatalogError::Malformed("it both advances cursors and removes segments".to_owned()));
    }
    if !makes_rows(commit) && commit.remove.is_empty() && !commit.add.is_empty() {
        return Err(CatalogError::Malformed("it adds segments that come from nowhere".to_owned()));
    }
    if let Some(foreign) = commit.add.iter().find(|s| s.commit != commit.id) {
        return Err(CatalogError::Malformed(format!("segment {} names another commit", foreign.id)));
    }
    let mut ids = HashSet::new();
    if !commit.add.iter().map(|s| s.id).chain(commit.remove.iter().copied()).all(|id| ids.insert(id)) {
        return Err(CatalogError::Malformed("it names a segment twice".to_owned()));
    }
    let mut violations: Vec<Violation> = commit
        .advances
        .iter()
        .filter(|a| a.from >= a.to)
        .map(|a| Violation::at(InvariantId::I2, a.interval(), "an advance must cover at least one offset"))
        .collect();
    violations.extend(commit.advances.iter().flat_map(check_projects));
    if makes_rows(commit) {
        let entries: Vec<Entry> = commit.advances.iter().map(Advance::entry).collect();
        violations.extend(check_commit(&entries, &commit.restate, &commit.add));
        violations.extend(overlaps(commit));
    } else {
        violations.extend(commit.add.iter().filter_map(check_segment));
        violations.extend(commit.restate.iter().flat_map(Restatement::check));
    }
    refuse(violations)
}

/// I2: what a commit says about a record, it says once.
fn overlaps(commit: &Commit) -> Option<Violation> {
    let mut all: Vec<Interval> = commit.advances.iter().map(Advance::interval).collect();
    all.extend(commit.restate.iter().map(|r| r.interval));
    all.sort();
    let twice = all.windows(2).find(|pair| pair[0].overlaps(&pair[1]))?;
    Some(Violation::at(InvariantId::I2, twice[1], "the commit accounts for these records twice"))
}

fn refuse(violations: Vec<Violation>) -> Result<(), CatalogError> {
    if violations.is_empty() { Ok(()) } else { Err(CatalogError::Violations(violations)) }
}

/// I3 by project: the parts add up to the whole, by count and by fingerprint.
fn check_projects(advance: &Advance) -> Option<Violation> {
    let (whole, visible) = match &advance.account {
        Account::Accounted { tally, visible } => (*tally, *visible),
        Account::Skipped { .. } | Account::Lost { .. } => (Tally::default(), Fingerprint::default()),
    };
    let (parts, sum) = split(advance);
    // Records without a project may be left out by the committer.
    let rest_fits = parts.control <= whole.control && parts.hole <= whole.hole;
    let comparable = Tally { control: whole.control, hole: whole.hole, ..parts };
    (comparable != whole || sum != visible || !rest_fits).then(|| {
        let message =
            format!("per project {parts:?}, fingerprint {sum}; in all {whole:?}, fingerprint {visible}");
        Violation::at(InvariantId::I3, advance.interval(), message)
    })
}

fn split(advance: &Advance) -> (Tally, Fingerprint) {
    advance
        .projects
        .iter()
        .fold((Tally::default(), Fingerprint::default()), |(t, f), (_, tally, sum)| (t + *tally, f + *sum))
}

async fn seq_of(connection: &mut SqliteConnection, id: CommitId) -> Result<Option<CommitSeq>, CatalogError> {
    let seq: Option<i64> = sqlx::query_scalar("SELECT seq FROM commits WHERE id = ?")
        .bind(id.0.to_string())
        .fetch_optional(connection)
        .await?;
    Ok(seq.map(|s| CommitSeq(s as u64)))
}

/// Epochs are unique over all leases. Making rows needs the processing lease, compacting any lease that is current.
async fn fence(tx: &mut SqliteConnection, commit: &Commit) -> Result<Option<CommitAnswer>, CatalogError> {
    let rows = sqlx::query("SELECT name, epoch FROM lease").fetch_all(tx).await?;
    let mut newest = Epoch(0);
    for row in rows {
        let (name, epoch): (String, Epoch) = (row.try_get("name")?, Epoch(uint(&row, "epoch")?));
        let counts = !makes_rows(commit) || name == LeaseName::Process.name();
        if counts && epoch == commit.epoch {
            return Ok(None);
        }
        if counts {
            newest = newest.max(epoch);
        }
    }
    Ok(Some(CommitAnswer::Fenced { epoch: newest }))
}

/// I6: by equality, or not at all.
pub(super) async fn move_cursor(
    tx: &mut SqliteConnection,
    epoch: Epoch,
    advance: &Advance,
) -> Result<Option<CommitAnswer>, CatalogError> {
    let (lane, part) = (advance.shard.lane as i64, i64::from(advance.shard.partition));
    sqlx::query("INSERT OR IGNORE INTO cursor (lane, part, position, received_to) VALUES (?, ?, 0, 0)")
        .bind(lane)
        .bind(part)
        .execute(&mut *tx)
        .await?;
    let moved = sqlx::query(
        "UPDATE cursor SET position = ?, received_to = max(received_to, ?)
         WHERE lane = ? AND part = ? AND position = ?
           AND EXISTS (SELECT 1 FROM lease WHERE name = 'process' AND epoch = ?)",
    )
    .bind(int(advance.to))
    .bind(advance.received_to)
    .bind(lane)
    .bind(part)
    .bind(int(advance.from))
    .bind(int(epoch.0))
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if moved == 1 {
        return Ok(None);
    }
    let cursor: i64 = sqlx::query_scalar("SELECT position FROM cursor WHERE lane = ? AND part = ?")
        .bind(lane)
        .bind(part)
        .fetch_one(tx)
        .await?;
    let (shard, cursor) = (advance.shard, cursor as u64);
    Ok(Some(if cursor > advance.from {
        CommitAnswer::Behind { shard, cursor }
    } else {
        CommitAnswer::Gap { shard, cursor }
    }))
}

/// Extends the open row of the books if this advance continues it within the same hour, else opens one.
pub(super) async fn book(tx: &mut SqliteConnection, advance: &Advance) -> Result<(), CatalogError> {
    let (lane, part) = (advance.shard.lane as i64, i64::from(advance.shard.partition));
    let open = sqlx::query(
        "SELECT from_pos, account, received_from, received_to FROM ledger
         WHERE lane = ? AND part = ? AND from_pos < ? ORDER BY from_pos DESC LIMIT 1",
    )
    .bind(lane)
    .bind(part)
    .bind(int(advance.to))
    .fetch_optional(&mut *tx)
    .await?;
    let mut row_from = int(advance.from);
    let mut account = advance.account.clone();
    let (mut received_from, mut received_to) = (advance.received_from, advance.received_to);
    if let Some(open) = open {
        let known: Account =
            serde_json::from_str(open.try_get("account")?).map_err(CatalogError::corrupt("ledger"))?;
        let opened: Millis = open.try_get("received_from")?;
        let hour = |at: Millis| at.div_euclid(LEDGER_ROW_MS);
        if let (Account::Accounted { tally: a, visible: x }, Account::Accounted { tally: b, visible: y }) =
            (&known, &advance.account)
            && hour(opened) == hour(advance.received_to)
        {
            account = Account::Accounted { tally: *a + *b, visible: *x + *y };
            row_from = open.try_get("from_pos")?;
            received_from = received_from.min(opened);
            received_to = received_to.max(open.try_get("received_to")?);
        }
    }
    let row = Interval::new(advance.shard, row_from as u64, advance.to);
    insert_row(tx, row, &account, (received_from, received_to)).await?;
    book_projects(tx, advance, row).await
}

/// Writes a row of the books, or replaces the one that starts there.
pub(super) async fn insert_row(
    tx: &mut SqliteConnection,
    row: Interval,
    account: &Account,
    received: (Millis, Millis),
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO ledger (lane, part, from_pos, to_pos, account, received_from, received_to)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (lane, part, from_pos) DO UPDATE SET to_pos = excluded.to_pos, account = excluded.account,
             received_from = excluded.received_from, received_to = excluded.received_to",
    )
    .bind(row.shard.lane as i64)
    .bind(i64::from(row.shard.partition))
    .bind(int(row.from))
    .bind(int(row.to))
    .bind(serde_json::to_string(account).map_err(CatalogError::corrupt("ledger"))?)
    .bind(received.0)
    .bind(received.1)
    .execute(tx)
    .await?;
    Ok(())
}

async fn book_projects(
    tx: &mut SqliteConnection,
    advance: &Advance,
    row: Interval,
) -> Result<(), CatalogError> {
    let mut parts = advance.projects.clone();
    if let Account::Accounted { tally, .. } = &advance.account {
        let (given, _) = split(advance);
        let rest = Tally {
            control: tally.control - given.control,
            hole: tally.hole - given.hole,
            ..Tally::default()
        };
        if rest.total() > 0 {
            parts.push((ProjectId::UNKNOWN, rest, Fingerprint::default()));
        }
    }
    for part in parts {
        add_part(tx, row, &part).await?;
    }
    Ok(())
}

/// Adds one project's part to a row of the books.
pub(super) async fn add_part(
    tx: &mut SqliteConnection,
    row: Interval,
    (project, tally, visible): &Part,
) -> Result<(), CatalogError> {
    let (lane, part, row_from) = (row.shard.lane as i64, i64::from(row.shard.partition), int(row.from));
    // SQLite has no 128-bit sums, so the fingerprint is added here, inside the same transaction.
    let known: Option<String> = sqlx::query_scalar(
        "SELECT fingerprint FROM project_ledger WHERE project = ? AND lane = ? AND part = ? AND from_pos = ?",
    )
    .bind(i64::from(project.0))
    .bind(lane)
    .bind(part)
    .bind(row_from)
    .fetch_optional(&mut *tx)
    .await?;
    let sum = *visible + known.as_deref().map(super::read::fingerprint).unwrap_or_default();
    sqlx::query(
        "INSERT INTO project_ledger
             (project, lane, part, from_pos, visible, duplicate, filtered, dead, control, hole, fingerprint)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (project, lane, part, from_pos) DO UPDATE SET
             visible = visible + excluded.visible, duplicate = duplicate + excluded.duplicate,
             filtered = filtered + excluded.filtered, dead = dead + excluded.dead,
             control = control + excluded.control, hole = hole + excluded.hole,
             fingerprint = excluded.fingerprint",
    )
    .bind(i64::from(project.0))
    .bind(lane)
    .bind(part)
    .bind(row_from)
    .bind(int(tally.visible))
    .bind(int(tally.duplicate))
    .bind(int(tally.filtered))
    .bind(int(tally.dead))
    .bind(int(tally.control))
    .bind(int(tally.hole))
    .bind(sum.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

/// The metadata of live segments, or the ids that are not live.
async fn live_metas(
    tx: &mut SqliteConnection,
    ids: &[SegmentId],
) -> Result<Result<Vec<SegmentMeta>, Vec<SegmentId>>, CatalogError> {
    let (mut metas, mut missing) = (Vec::new(), Vec::new());
    for id in ids {
        let meta: Option<String> =
            sqlx::query_scalar("SELECT meta FROM segments WHERE id = ? AND removed_seq IS NULL")
                .bind(id.to_string())
                .fetch_optional(&mut *tx)
                .await?;
        match meta {
            Some(meta) => metas.push(super::read::segment(&meta)?),
            None => missing.push(*id),
        }
    }
    Ok(if missing.is_empty() { Ok(metas) } else { Err(missing) })
}

pub(super) async fn record(tx: &mut SqliteConnection, commit: &Commit) -> Result<CommitSeq, CatalogError> {
    let seq: i64 = sqlx::query_scalar(
        "INSERT INTO commits (id, epoch, delta, advances, removed, created_at, origin, restated, masks)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         RETURNING seq",
    )
    .bind(commit.id.0.to_string())
    .bind(int(commit.epoch.0))
    .bind(&commit.delta)
    .bind(serde_json::to_string(&commit.advances).map_err(CatalogError::corrupt("commits"))?)
    .bind(serde_json::to_string(&commit.remove).map_err(CatalogError::corrupt("commits"))?)
    .bind(commit.created_at)
    .bind(serde_json::to_string(&commit.origin).map_err(CatalogError::corrupt("commits"))?)
    .bind(serde_json::to_string(&commit.restate).map_err(CatalogError::corrupt("commits"))?)
    .bind(serde_json::to_string(&commit.masks).map_err(CatalogError::corrupt("commits"))?)
    .fetch_one(&mut *tx)
    .await?;
    masks::set(tx, seq, &commit.masks).await?;
    for restatement in &commit.restate {
        restate::remember(tx, seq, restatement).await?;
    }
    for id in &commit.remove {
        sqlx::query("UPDATE segments SET removed_seq = ? WHERE id = ?")
            .bind(seq)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
    }
    for segment in &commit.add {
        sqlx::query("INSERT INTO segments (id, project, added_seq, meta) VALUES (?, ?, ?, ?)")
            .bind(segment.id.to_string())
            .bind(i64::from(segment.project.0))
            .bind(seq)
            .bind(serde_json::to_string(segment).map_err(CatalogError::corrupt("segments"))?)
            .execute(&mut *tx)
            .await?;
    }
    Ok(CommitSeq(seq as u64))
}
