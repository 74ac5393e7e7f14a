//! Footers of segment files, kept because every query opens the same files again.
//!
//! Segment files never change under one key, so an entry is valid until the file is deleted. Bounded by bytes.

use super::footer::Footer;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Default bound.
const BUDGET_BYTES: usize = 256 << 20;

#[derive(Debug)]
pub(crate) struct FooterCache {
    budget: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: FxHashMap<String, Entry>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    footer: Arc<Footer>,
    used: u64,
}

impl Default for FooterCache {
    fn default() -> FooterCache {
        FooterCache { budget: BUDGET_BYTES, inner: Mutex::default() }
    }
}

impl FooterCache {
    pub fn get(&self, key: &str) -> Option<Arc<Footer>> {
        let mut inner = self.lock();
        inner.clock += 1;
        let now = inner.clock;
        let entry = inner.entries.get_mut(key)?;
        entry.used = now;
        Some(Arc::clone(&entry.footer))
    }

    pub fn put(&self, key: &str, footer: Arc<Footer>) {
        let mut inner = self.lock();
        inner.clock += 1;
        let used = inner.clock;
        inner.bytes += footer.memory_bytes();
        if let Some(old) = inner.entries.insert(key.to_owned(), Entry { footer, used }) {
            inner.bytes -= old.footer.memory_bytes();
        }
        if inner.bytes > self.budget {
            inner.shrink(self.budget / 2);
        }
    }

    pub fn forget(&self, key: &str) {
        let mut inner = self.lock();
        if let Some(old) = inner.entries.remove(key) {
            inner.bytes -= old.footer.memory_bytes();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The map is valid after every statement, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Drops the entries used longest ago until at most `target` bytes stay.
    fn shrink(&mut self, target: usize) {
        let mut by_age: Vec<(u64, String)> = self.entries.iter().map(|(k, e)| (e.used, k.clone())).collect();
        by_age.sort_unstable();
        for (_, key) in by_age {
            if self.bytes <= target {
                break;
            }
            if let Some(old) = self.entries.remove(&key) {
                self.bytes -= old.footer.memory_bytes();
            }
        }
    }
}
