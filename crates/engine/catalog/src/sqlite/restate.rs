//! Replacing accounts inside a commit: by equality for what was passed by, by difference for what was decided.
//!
//! Guarantees: what a restatement claims to replace is really there, or the whole commit is refused; the row's and
//! the projects' sums still agree afterwards; the replaced account is kept in the history.
//! Deliberately not here: what may be restated (`ledger::Restatement::check`).

use super::commit::{LEDGER_ROW_MS, add_part, insert_row};
use super::{SqliteCatalog, int, shard_of, uint};
use crate::{CatalogError, CommitAnswer, LedgerRow, RestatedRow};
use sqlx::{Row, SqliteConnection};
use tallymark_ledger::{Account, Fingerprint, Interval, Part, Restatement, Tally};
use tallymark_model::{CommitSeq, Millis, ProjectId};

/// A row of the books as stored.
struct Stored {
    interval: Interval,
    account: Account,
    received: (Millis, Millis),
}

/// Applies one restatement; an answer means that the commit is refused.
pub(super) async fn apply(
    tx: &mut SqliteConnection,
    restatement: &Restatement,
) -> Result<Option<CommitAnswer>, CatalogError> {
    let mismatch = Ok(Some(CommitAnswer::Mismatch { interval: restatement.interval }));
    let Some(row) = enclosing(tx, restatement.interval).await? else { return mismatch };
    let fits = match (&restatement.was, &row.account) {
        (Account::Accounted { tally: was, visible }, Account::Accounted { tally: held, visible: sum }) => {
            adjust(tx, restatement, &row, (*was, *visible), (*held, *sum)).await?
        }
        (was, held) if was == held => {
            split(tx, restatement, &row).await?;
            true
        }
        _ => false,
    };
    if fits { Ok(None) } else { mismatch }
}

/// Keeps what was replaced.
pub(super) async fn remember(
    tx: &mut SqliteConnection,
    seq: i64,
    restatement: &Restatement,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO restatements (seq, restatement, received_from, received_to) VALUES (?, ?, ?, ?)",
    )
    .bind(seq)
    .bind(serde_json::to_string(restatement).map_err(CatalogError::corrupt("restatements"))?)
    .bind(restatement.received_from)
    .bind(restatement.received_to)
    .execute(tx)
    .await?;
    Ok(())
}

/// The history, newest first.
pub(super) async fn history(
    catalog: &SqliteCatalog,
    from: Option<Millis>,
    to: Option<Millis>,
    limit: usize,
) -> Result<Vec<RestatedRow>, CatalogError> {
    let rows = sqlx::query(
        "SELECT r.seq, r.restatement, c.created_at, c.origin FROM restatements r JOIN commits c ON c.seq = r.seq
         WHERE r.received_to >= ? AND r.received_from < ? ORDER BY r.id DESC LIMIT ?",
    )
    .bind(from.unwrap_or(Millis::MIN))
    .bind(to.unwrap_or(Millis::MAX))
    .bind(int(limit as u64))
    .fetch_all(&catalog.read)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(RestatedRow {
                seq: CommitSeq(uint(row, "seq")?),
                at: row.try_get("created_at")?,
                origin: serde_json::from_str(row.try_get("origin")?)
                    .map_err(CatalogError::corrupt("commits"))?,
                restatement: serde_json::from_str(row.try_get("restatement")?)
                    .map_err(CatalogError::corrupt("restatements"))?,
            })
        })
        .collect()
}

/// Every row that is not accounted; found by an index of its own, however long the books are.
pub(super) async fn anomalies(catalog: &SqliteCatalog) -> Result<Vec<LedgerRow>, CatalogError> {
    let mut connection = catalog.read.acquire().await?;
    anomalies_in(&mut connection).await
}

/// The same within a transaction.
pub(super) async fn anomalies_in(connection: &mut SqliteConnection) -> Result<Vec<LedgerRow>, CatalogError> {
    let rows = sqlx::query(
        r#"SELECT lane, part, from_pos, to_pos, account, received_from, received_to FROM ledger
           WHERE substr(account, 1, 22) <> '{"account":"accounted"' ORDER BY lane, part, from_pos"#,
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(LedgerRow {
                interval: Interval::new(shard_of(row)?, uint(row, "from_pos")?, uint(row, "to_pos")?),
                account: serde_json::from_str(row.try_get("account")?)
                    .map_err(CatalogError::corrupt("ledger"))?,
                received_from: row.try_get("received_from")?,
                received_to: row.try_get("received_to")?,
                tally: Tally::default(),
                visible: Fingerprint::default(),
            })
        })
        .collect()
}

async fn enclosing(tx: &mut SqliteConnection, interval: Interval) -> Result<Option<Stored>, CatalogError> {
    let row = sqlx::query(
        "SELECT from_pos, to_pos, account, received_from, received_to FROM ledger
         WHERE lane = ? AND part = ? AND from_pos <= ? ORDER BY from_pos DESC LIMIT 1",
    )
    .bind(interval.shard.lane as i64)
    .bind(i64::from(interval.shard.partition))
    .bind(int(interval.from))
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let held = Interval::new(interval.shard, uint(&row, "from_pos")?, uint(&row, "to_pos")?);
    if !held.encloses(&interval) {
        return Ok(None);
    }
    let account = serde_json::from_str(row.try_get("account")?).map_err(CatalogError::corrupt("ledger"))?;
    let received = (row.try_get("received_from")?, row.try_get("received_to")?);
    Ok(Some(Stored { interval: held, account, received }))
}

/// A decided row keeps its extent; some of its records change their outcome. False: they are not there.
async fn adjust(
    tx: &mut SqliteConnection,
    restatement: &Restatement,
    row: &Stored,
    was: (Tally, Fingerprint),
    held: (Tally, Fingerprint),
) -> Result<bool, CatalogError> {
    let Account::Accounted { tally: now, visible } = &restatement.now else { return Ok(false) };
    let Some(rest) = minus(held.0, was.0) else { return Ok(false) };
    let account = Account::Accounted { tally: rest + *now, visible: held.1 - was.1 + *visible };
    insert_row(tx, row.interval, &account, row.received).await?;
    for part in &restatement.was_parts {
        if !take_part(tx, row.interval, part).await? {
            return Ok(false);
        }
    }
    for part in &restatement.now_parts {
        add_part(tx, row.interval, part).await?;
    }
    Ok(true)
}

/// A row that was passed by as a whole falls into what comes before, the restated part, and what comes after.
async fn split(
    tx: &mut SqliteConnection,
    restatement: &Restatement,
    row: &Stored,
) -> Result<(), CatalogError> {
    let (shard, part) = (restatement.interval.shard, restatement.interval);
    sqlx::query("DELETE FROM ledger WHERE lane = ? AND part = ? AND from_pos = ?")
        .bind(shard.lane as i64)
        .bind(i64::from(shard.partition))
        .bind(int(row.interval.from))
        .execute(&mut *tx)
        .await?;
    for (from, to) in [(row.interval.from, part.from), (part.to, row.interval.to)] {
        if from < to {
            insert_row(tx, Interval::new(shard, from, to), &row.account, row.received).await?;
        }
    }
    let received = (restatement.received_from, restatement.received_to);
    let target = match joinable(tx, restatement).await? {
        Some((interval, account, received)) => {
            insert_row(tx, interval, &account, received).await?;
            interval
        }
        None => {
            insert_row(tx, part, &restatement.now, received).await?;
            part
        }
    };
    for p in &restatement.now_parts {
        add_part(tx, target, p).await?;
    }
    Ok(())
}

/// The decided row just before, extended over the restated part: a replay in many chunks leaves few rows.
async fn joinable(
    tx: &mut SqliteConnection,
    restatement: &Restatement,
) -> Result<Option<(Interval, Account, (Millis, Millis))>, CatalogError> {
    let Interval { shard, from, to } = restatement.interval;
    let Some(before) = from.checked_sub(1) else { return Ok(None) };
    let Some(row) = enclosing(tx, Interval::new(shard, before, from)).await? else { return Ok(None) };
    let hour = |at: Millis| at.div_euclid(LEDGER_ROW_MS);
    match (&row.account, &restatement.now) {
        (Account::Accounted { tally: a, visible: x }, Account::Accounted { tally: b, visible: y })
            if row.interval.to == from && hour(row.received.0) == hour(restatement.received_to) =>
        {
            let account = Account::Accounted { tally: *a + *b, visible: *x + *y };
            let received =
                (row.received.0.min(restatement.received_from), row.received.1.max(restatement.received_to));
            Ok(Some((Interval::new(shard, row.interval.from, to), account, received)))
        }
        _ => Ok(None),
    }
}

/// Subtracts a part from a project's row; false if it is not there.
async fn take_part(
    tx: &mut SqliteConnection,
    row: Interval,
    (project, tally, visible): &Part,
) -> Result<bool, CatalogError> {
    let Some((held, sum)) = part_of(tx, row, *project).await? else { return Ok(tally.total() == 0) };
    if minus(held, *tally).is_none() {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE project_ledger SET visible = visible - ?, duplicate = duplicate - ?, filtered = filtered - ?,
                dead = dead - ?, control = control - ?, hole = hole - ?, fingerprint = ?
         WHERE project = ? AND lane = ? AND part = ? AND from_pos = ?",
    )
    .bind(int(tally.visible))
    .bind(int(tally.duplicate))
    .bind(int(tally.filtered))
    .bind(int(tally.dead))
    .bind(int(tally.control))
    .bind(int(tally.hole))
    .bind((sum - *visible).to_string())
    .bind(i64::from(project.0))
    .bind(row.shard.lane as i64)
    .bind(i64::from(row.shard.partition))
    .bind(int(row.from))
    .execute(tx)
    .await?;
    Ok(true)
}

async fn part_of(
    tx: &mut SqliteConnection,
    row: Interval,
    project: ProjectId,
) -> Result<Option<(Tally, Fingerprint)>, CatalogError> {
    let found = sqlx::query(
        "SELECT visible, duplicate, filtered, dead, control, hole, fingerprint FROM project_ledger
         WHERE project = ? AND lane = ? AND part = ? AND from_pos = ?",
    )
    .bind(i64::from(project.0))
    .bind(row.shard.lane as i64)
    .bind(i64::from(row.shard.partition))
    .bind(int(row.from))
    .fetch_optional(tx)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let sum: String = found.try_get("fingerprint")?;
    Ok(Some((super::read::tally(&found)?, super::read::fingerprint(&sum))))
}

/// `a - b`, if every term allows it.
fn minus(a: Tally, b: Tally) -> Option<Tally> {
    Some(Tally {
        visible: a.visible.checked_sub(b.visible)?,
        duplicate: a.duplicate.checked_sub(b.duplicate)?,
        filtered: a.filtered.checked_sub(b.filtered)?,
        dead: a.dead.checked_sub(b.dead)?,
        control: a.control.checked_sub(b.control)?,
        hole: a.hole.checked_sub(b.hole)?,
    })
}
