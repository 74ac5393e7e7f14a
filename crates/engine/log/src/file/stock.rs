//! Keeps the next file of a lane ready, so that the writer's thread never has to make, fill, shorten or remove one.
//!
//! Guarantees: a file handed out has its full size on the disk (zeros, or leftovers of an emptied file, which no
//! checksum accepts), and its data is flushed. A full disk is an answer, retried in the background until it passes.
//! Deliberately not here: headers and final names (the writer sets them when it knows the offsets).

use super::disk::{Disk, DiskFile, OpenMode, is_full};
use super::layout::LaneFolder;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A file ready to be written.
pub(crate) struct Blank {
    pub path: PathBuf,
    pub file: Arc<dyn DiskFile>,
    pub bytes: u64,
}

/// Why there is no file.
#[derive(Debug, Clone)]
pub(crate) enum NoBlank {
    /// No room; being retried.
    Full,
    /// The disk failed.
    Broken(String),
}

/// The files of one lane that hold nothing.
pub(crate) struct Stock {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    folder: LaneFolder,
    retry: Duration,
    spares_max: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    wanted_bytes: Option<u64>,
    ready: Option<Blank>,
    failure: Option<NoBlank>,
    closing: bool,
}

impl Stock {
    pub(crate) fn start(
        disk: Arc<dyn Disk>,
        folder: LaneFolder,
        retry: Duration,
        spares_max: usize,
    ) -> io::Result<Stock> {
        for draft in folder.with_ending(disk.as_ref(), ".tmp")? {
            disk.remove(&draft)?;
        }
        let state = Mutex::default();
        let shared = Arc::new(Shared { disk, folder, retry, spares_max, state, changed: Condvar::new() });
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("log-stock".to_owned()).spawn(move || worker.run())?;
        Ok(Stock { shared, thread: Some(thread) })
    }

    /// Asks for a file of this size, without waiting.
    pub(crate) fn order(&self, bytes: u64) {
        let mut state = self.shared.state();
        if state.ready.is_none() && state.wanted_bytes.is_none() {
            state.wanted_bytes = Some(bytes);
            self.shared.changed.notify_all();
        }
    }

    /// The next file; waits until it is ready or cannot be made now.
    pub(crate) fn take(&self, bytes: u64) -> Result<Blank, NoBlank> {
        self.order(bytes);
        let mut state = self.shared.state();
        loop {
            if let Some(blank) = state.ready.take() {
                return Ok(blank);
            }
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// True while there is no room for the next file. Cleared by the background tries.
    pub(crate) fn is_starved(&self) -> bool {
        matches!(self.shared.state().failure, Some(NoBlank::Full))
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        self.shared.state().closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // The state is plain and every change is a single assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.state();
        while !state.closing {
            let Some(bytes) = state.wanted_bytes.filter(|_| state.ready.is_none()) else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let made = self.make(bytes);
            state = self.state();
            match made {
                Ok(blank) => {
                    (state.ready, state.failure, state.wanted_bytes) = (Some(blank), None, None);
                    self.changed.notify_all();
                }
                Err(e) => {
                    let failure = if is_full(&e) {
                        NoBlank::Full
                    } else {
                        NoBlank::Broken(format!("{:?}: {e}", self.folder.dir))
                    };
                    state.failure = Some(failure);
                    self.changed.notify_all();
                    let pause = self.changed.wait_timeout(state, self.retry);
                    state = pause.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    fn make(&self, bytes: u64) -> io::Result<Blank> {
        let spares = self.folder.with_ending(self.disk.as_ref(), ".spare")?;
        for (i, path) in spares.iter().enumerate() {
            let file = self.disk.open(path, OpenMode::Write)?;
            if file.len()? == bytes {
                return Ok(Blank { path: path.clone(), file, bytes });
            }
            if i >= self.spares_max {
                self.disk.remove(path)?;
            }
        }
        self.make_new(bytes)
    }

    fn make_new(&self, bytes: u64) -> io::Result<Blank> {
        let path = self.folder.spare();
        let draft = path.with_extension("tmp");
        let file = self.disk.open(&draft, OpenMode::Create)?;
        let filled = fill(file.as_ref(), bytes);
        if let Err(e) = filled {
            // Half a file would keep the space that others may need more.
            let _ = self.disk.remove(&draft);
            return Err(e);
        }
        self.disk.rename(&draft, &path)?;
        Ok(Blank { path, file, bytes })
    }
}

fn fill(file: &dyn DiskFile, bytes: u64) -> io::Result<()> {
    // Written, not only reserved: the first write into reserved space costs a journal entry per flush.
    file.reserve(bytes)?;
    let zeros = vec![0u8; bytes.min(1 << 20) as usize];
    let mut at = 0;
    while at < bytes {
        let part = (bytes - at).min(zeros.len() as u64);
        file.write_at(&zeros[..part as usize], at)?;
        // In small portions: a flush of the whole file would make the lane's own flushes wait behind it.
        file.sync()?;
        at += part;
    }
    Ok(())
}
