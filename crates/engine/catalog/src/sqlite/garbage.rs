//! Which segments may be deleted. Only the compactor's role is given this.
//!
//! Guarantees: a live segment is never listed as removed and never forgotten.
//! Deliberately not here: deleting files.

use super::{SqliteCatalog, int};
use crate::{CatalogError, Garbage, Mask, SegmentMeta};
use async_trait::async_trait;
use tallymark_model::{CommitSeq, SegmentId};

#[async_trait]
impl Garbage for SqliteCatalog {
    async fn is_live(&self, id: SegmentId) -> Result<bool, CatalogError> {
        let found: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM segments WHERE id = ? AND removed_seq IS NULL")
                .bind(id.to_string())
                .fetch_optional(&self.read)
                .await?;
        Ok(found.is_some())
    }

    async fn removed_before(&self, seq: CommitSeq) -> Result<Vec<SegmentMeta>, CatalogError> {
        let metas: Vec<String> =
            sqlx::query_scalar("SELECT meta FROM segments WHERE removed_seq <= ? ORDER BY removed_seq, id")
                .bind(int(seq.0))
                .fetch_all(&self.read)
                .await?;
        metas.iter().map(|m| super::read::segment(m)).collect()
    }

    async fn forget(&self, ids: &[SegmentId]) -> Result<u64, CatalogError> {
        let mut tx = self.begin().await?;
        let mut forgotten = 0;
        for id in ids {
            forgotten += sqlx::query("DELETE FROM segments WHERE id = ? AND removed_seq IS NOT NULL")
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?
                .rows_affected();
        }
        tx.commit().await?;
        Ok(forgotten)
    }

    async fn live(&self) -> Result<Vec<SegmentMeta>, CatalogError> {
        let metas: Vec<String> = sqlx::query_scalar(
            "SELECT meta FROM segments WHERE removed_seq IS NULL ORDER BY project, added_seq, id",
        )
        .fetch_all(&self.read)
        .await?;
        metas.iter().map(|m| super::read::segment(m)).collect()
    }

    async fn masked(&self, ids: &[SegmentId]) -> Result<Vec<(SegmentId, Vec<Mask>)>, CatalogError> {
        super::masks::of(self, ids).await
    }

    async fn drop_spent_masks(&self) -> Result<u64, CatalogError> {
        super::masks::drop_spent(self).await
    }
}
