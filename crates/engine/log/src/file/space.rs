//! Watches the free space of the volume and holds the reserve.
//!
//! Below the floor appends are refused while reading goes on, and the reserve file is given up, so that commits and
//! trimming, which free space, have room to work. When space is back the reserve is taken again first, then appends
//! resume by themselves.
//! Deliberately not here: what a single failed write means (the lane's writer).

use super::disk::{Disk, OpenMode, parent};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the volume has left; shared with everyone who asks.
pub(crate) struct Space {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    reserve: PathBuf,
    reserve_bytes: u64,
    floor_bytes: u64,
    free_bytes: AtomicU64,
    full: AtomicBool,
    closing: Mutex<bool>,
    closed: Condvar,
}

impl Space {
    pub(crate) fn start(
        disk: Arc<dyn Disk>,
        reserve: PathBuf,
        reserve_bytes: u64,
        floor_bytes: u64,
        every: Duration,
    ) -> io::Result<Space> {
        // On a small volume the settings would leave nothing to work with.
        let total = disk.total_bytes(&parent(&reserve)).ok().flatten().unwrap_or(u64::MAX);
        let (reserve_bytes, floor_bytes) = (reserve_bytes.min(total / 20), floor_bytes.min(total / 20));
        let shared = Arc::new(Shared {
            disk,
            reserve,
            reserve_bytes,
            floor_bytes,
            free_bytes: AtomicU64::new(u64::MAX),
            full: AtomicBool::new(false),
            closing: Mutex::new(false),
            closed: Condvar::new(),
        });
        shared.look();
        let watcher = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("log-space".to_owned()).spawn(move || watcher.run(every))?;
        Ok(Space { shared, thread: Some(thread) })
    }

    /// True if appends must be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.shared.full.load(Ordering::Relaxed)
    }

    /// Free bytes at the last look; `None` if the volume has no limit.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        Some(self.shared.free_bytes.load(Ordering::Relaxed)).filter(|free| *free != u64::MAX)
    }

    pub(crate) fn floor_bytes(&self) -> u64 {
        self.shared.floor_bytes
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        *self.shared.closing.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.closed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, every: Duration) {
        let mut closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        while !*closing {
            closing = self.closed.wait_timeout(closing, every).unwrap_or_else(PoisonError::into_inner).0;
            self.look();
        }
    }

    fn look(&self) {
        // A volume that cannot say is judged by its writes alone.
        let free = self.disk.free_bytes(&parent(&self.reserve)).ok().flatten().unwrap_or(u64::MAX);
        self.free_bytes.store(free, Ordering::Relaxed);
        let held = self.reserve_is_held();
        if free < self.floor_bytes {
            if held && self.disk.remove(&self.reserve).is_ok() {
                tracing::warn!(
                    free_bytes = free,
                    "log volume is full: appends are refused, the reserve is given up"
                );
            }
            self.full.store(true, Ordering::Relaxed);
            return;
        }
        let room = free.saturating_sub(self.reserve_bytes) >= self.floor_bytes;
        if !held && self.reserve_bytes > 0 && !(room && self.take_reserve().is_ok()) {
            // Appends that were refused stay refused until there is room for the reserve as well; a volume that
            // never had room for it works without.
            return;
        }
        if self.full.swap(false, Ordering::Relaxed) {
            tracing::info!(free_bytes = free, "log volume has room again: appends resume");
        }
    }

    fn reserve_is_held(&self) -> bool {
        self.disk
            .open(&self.reserve, OpenMode::Read)
            .and_then(|f| f.len())
            .is_ok_and(|n| n >= self.reserve_bytes)
    }

    fn take_reserve(&self) -> io::Result<()> {
        let file = match self.disk.open(&self.reserve, OpenMode::Write) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.disk.open(&self.reserve, OpenMode::Create)?
            }
            opened => opened?,
        };
        let taken = file.reserve(self.reserve_bytes);
        if taken.is_err() {
            let _ = self.disk.remove(&self.reserve);
        }
        taken
    }
}
