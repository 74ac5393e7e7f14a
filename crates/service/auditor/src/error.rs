//! What keeps the auditor from looking. Damage is a finding instead.

/// A failure of the auditor.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The catalog cannot be read.
    #[error("catalog: {0}")]
    Catalog(#[from] tallymark_catalog::CatalogError),
    /// The log cannot be read at all; a gap in it is a finding instead.
    #[error("log: {0}")]
    Log(#[from] tallymark_log::ReadError),
    /// The object store cannot be read at all.
    #[error("object store: {0}")]
    Store(#[from] tallymark_store::StoreError),
    /// Findings cannot be handed over.
    #[error("reporting: {0}")]
    Sink(String),
}

/// Result with [`AuditError`].
pub type Result<T, E = AuditError> = std::result::Result<T, E>;
