//! A durable place for what the API has to know while the catalog is gone.
//!
//! Guarantees: what was kept last is found after a restart.
//! Deliberately not here: what is kept (`access::standby`).

/// One text, replaced as a whole. It holds password hashes: nobody but the server's user may read it.
pub trait Keepsake: Send + Sync {
    /// What was kept last; `None` if nothing was, or it cannot be read.
    fn load(&self) -> Option<String>;
    /// Keeps this instead.
    fn keep(&self, text: &str) -> Result<(), String>;
}
