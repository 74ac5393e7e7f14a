//! The copy of accounts: a file of the data folder that only the server's user may read.

use crate::layout;
use std::path::PathBuf;
use tallymark_api::Keepsake;

/// A file.
pub struct AccountsCopy {
    pub path: PathBuf,
}

impl Keepsake for AccountsCopy {
    fn load(&self) -> Option<String> {
        std::fs::read_to_string(&self.path).ok()
    }
    fn keep(&self, text: &str) -> Result<(), String> {
        layout::write_private(&self.path, text).map_err(|e| e.to_string())
    }
}
