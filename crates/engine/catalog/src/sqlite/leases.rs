//! Leases: fencing numbers that only grow.
//!
//! Guarantees: an epoch is given out once, whatever happens to the process that got it.
//! Deliberately not here: the fence itself (`commit`).

use super::{SqliteCatalog, int, now, uint};
use crate::{CatalogError, Lease, LeaseAnswer, LeaseName, Leases};
use async_trait::async_trait;
use sqlx::Row;
use std::time::Duration;
use tallymark_model::{Epoch, Millis};

#[async_trait]
impl Leases for SqliteCatalog {
    async fn acquire(
        &self,
        name: LeaseName,
        owner: &str,
        ttl: Duration,
    ) -> Result<LeaseAnswer, CatalogError> {
        let mut tx = self.begin().await?;
        let known = sqlx::query("SELECT owner, until FROM lease WHERE name = ?")
            .bind(name.name())
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(row) = known {
            let (holder, until): (String, Millis) = (row.try_get("owner")?, row.try_get("until")?);
            if holder != owner && until > now() {
                return Ok(LeaseAnswer::Held { owner: holder, until });
            }
        }
        let epoch: i64 = sqlx::query_scalar("UPDATE instance SET epoch = epoch + 1 RETURNING epoch")
            .fetch_one(&mut *tx)
            .await?;
        let until = end(ttl);
        sqlx::query(
            "INSERT INTO lease (name, owner, epoch, until) VALUES (?, ?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch, until = excluded.until",
        )
        .bind(name.name())
        .bind(owner)
        .bind(epoch)
        .bind(until)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(LeaseAnswer::Granted(Lease { name, owner: owner.to_owned(), epoch: Epoch(epoch as u64), until }))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Option<Lease>, CatalogError> {
        let until = end(ttl);
        let row = sqlx::query("UPDATE lease SET until = ? WHERE name = ? AND epoch = ? RETURNING epoch")
            .bind(until)
            .bind(lease.name.name())
            .bind(int(lease.epoch.0))
            .fetch_optional(&self.write)
            .await?;
        row.map(|row| Ok(Lease { epoch: Epoch(uint(&row, "epoch")?), until, ..lease.clone() })).transpose()
    }

    async fn release(&self, lease: &Lease) -> Result<(), CatalogError> {
        // The row stays: its epoch still fences whoever had it before.
        sqlx::query("UPDATE lease SET until = 0 WHERE name = ? AND epoch = ?")
            .bind(lease.name.name())
            .bind(int(lease.epoch.0))
            .execute(&self.write)
            .await?;
        Ok(())
    }
}

fn end(ttl: Duration) -> Millis {
    now().saturating_add(Millis::try_from(ttl.as_millis()).unwrap_or(Millis::MAX))
}
