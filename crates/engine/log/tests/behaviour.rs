//! Runs the behaviour suite on every backend.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod suite;
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use suite::{Backend, behaviours};
use support::fault_disk::FaultDisk;
use support::small;
use tallymark_ledger::Interval;
use tallymark_log::file::{FileLog, FileLogConfig, FileLogWriter};
use tallymark_log::memory::MemoryLog;
use tallymark_log::{LogReader, LogWriter};

impl Backend for MemoryLog {
    fn new() -> MemoryLog {
        MemoryLog::new(4)
    }
    fn writer(&self) -> Arc<dyn LogWriter> {
        Arc::new(self.clone())
    }
    fn reader(&self) -> Arc<dyn LogReader> {
        Arc::new(self.clone())
    }
    fn lose(&self, interval: Interval, _: &[&str]) {
        MemoryLog::lose(self, interval);
    }
}

/// The file backend on the file system of this machine.
struct OnDisk {
    dir: tempfile::TempDir,
    writer: Arc<FileLogWriter>,
}

impl Backend for OnDisk {
    fn new() -> OnDisk {
        let dir = tempfile::tempdir().unwrap();
        let writer = FileLog::open_writer(&dir.path().join("log"), small()).unwrap();
        OnDisk { dir, writer: Arc::new(writer) }
    }
    fn writer(&self) -> Arc<dyn LogWriter> {
        Arc::clone(&self.writer) as Arc<dyn LogWriter>
    }
    fn reader(&self) -> Arc<dyn LogReader> {
        Arc::new(FileLog::open_reader(&self.dir.path().join("log"), &small()).unwrap())
    }
    fn lose(&self, _: Interval, bodies: &[&str]) {
        let lane = self.dir.path().join("log/live");
        for entry in std::fs::read_dir(lane).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            if flip(&mut bytes, bodies) {
                use std::os::unix::fs::FileExt;
                let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                file.write_all_at(&bytes, 0).unwrap();
            }
        }
    }
}

/// The file backend on the disk that can fail, packed with zstd.
struct OnFaultDisk {
    disk: FaultDisk,
    writer: Arc<FileLogWriter>,
}

fn log_dir() -> PathBuf {
    PathBuf::from("/log")
}

impl Backend for OnFaultDisk {
    fn new() -> OnFaultDisk {
        let disk = FaultDisk::new();
        let config = FileLogConfig { pack_from_bytes: Some(1_000), ..small() };
        let writer = FileLog::open_writer_on(Arc::new(disk.clone()), &log_dir(), config).unwrap();
        OnFaultDisk { disk, writer: Arc::new(writer) }
    }
    fn writer(&self) -> Arc<dyn LogWriter> {
        Arc::clone(&self.writer) as Arc<dyn LogWriter>
    }
    fn reader(&self) -> Arc<dyn LogReader> {
        Arc::new(FileLog::open_reader_on(Arc::new(self.disk.clone()), &log_dir(), &small()).unwrap())
    }
    fn lose(&self, _: Interval, bodies: &[&str]) {
        for path in self.disk.paths(Path::new("/log/live"), ".log") {
            self.disk.damage(&path, |bytes| {
                flip(bytes, bodies);
            });
        }
    }
}

/// Flips one bit in each of these texts.
fn flip(bytes: &mut [u8], bodies: &[&str]) -> bool {
    let mut any = false;
    for body in bodies {
        if let Some(at) = bytes.windows(body.len()).position(|w| w == body.as_bytes()) {
            bytes[at] ^= 4;
            any = true;
        }
    }
    any
}

behaviours!(memory, MemoryLog);
behaviours!(file, OnDisk);
behaviours!(file_on_a_disk_that_can_fail, OnFaultDisk);
