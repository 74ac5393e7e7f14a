//! A disk in memory that fails on demand and forgets, when the power goes, what was not flushed.
//!
//! What it models: a flush makes a file's data durable, a flush of a folder makes its names durable; until then the
//! power cut may keep any part of what was written, in sectors, in any order. After a failed flush the data still
//! reads well although it is not durable, as on Linux.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use tallymark_log::file::disk::{Disk, DiskFile, Lock, OpenMode};

const SECTOR: usize = 512;

/// The disk; clones are the same disk.
#[derive(Clone, Default)]
pub struct FaultDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    dirs: HashSet<PathBuf>,
    durable_dirs: HashSet<PathBuf>,
    files: BTreeMap<u64, Data>,
    next: u64,
    locks: HashSet<PathBuf>,
    plan: Plan,
    syncs: u64,
    read_bytes: u64,
}

#[derive(Default, Clone)]
struct Data {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors that differ for the device.
    dirty: HashSet<usize>,
}

/// What goes wrong.
#[derive(Default, Clone)]
pub struct Plan {
    /// The n-th flush from now (1 = the next) fails with EIO, once.
    pub fail_sync: Option<u64>,
    /// The same, counting only flushes of content files.
    pub fail_content_sync: Option<u64>,
    /// Every write and preparation fails for lack of room.
    pub no_room: bool,
    /// The n-th write of content from now keeps only so many bytes and fails with EIO, once.
    pub tear_write: Option<(u64, usize)>,
    /// Free bytes to report.
    pub free_bytes: Option<u64>,
    /// Flushes of content files hang until this is taken back.
    pub hold_content_sync: bool,
    /// Size of the volume to report.
    pub total_bytes: Option<u64>,
    /// Reading these bytes of files whose name contains the text gives EIO.
    pub unreadable: Option<(String, u64, u64)>,
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

impl FaultDisk {
    pub fn new() -> FaultDisk {
        FaultDisk::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Sets what goes wrong from now on.
    pub fn plan(&self, plan: Plan) {
        self.state().plan = plan;
    }

    /// Flushes so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Bytes read so far.
    pub fn read_bytes(&self) -> u64 {
        self.state().read_bytes
    }

    /// Content as programs see it.
    pub fn bytes(&self, path: &Path) -> Vec<u8> {
        let state = self.state();
        state.files[&state.names[path]].seen.clone()
    }

    /// Names in a folder that end so.
    pub fn paths(&self, dir: &Path, ending: &str) -> Vec<PathBuf> {
        let state = self.state();
        let ours = |p: &&PathBuf| p.parent() == Some(dir) && p.to_string_lossy().ends_with(ending);
        state.names.keys().filter(ours).cloned().collect()
    }

    /// Names and folders that a power cut would take back.
    pub fn unsynced(&self) -> Vec<PathBuf> {
        let state = self.state();
        let names = state
            .names
            .iter()
            .filter(|(p, i)| state.durable_names.get(*p) != Some(*i))
            .map(|(p, _)| p.clone());
        names.chain(state.dirs.difference(&state.durable_dirs).cloned()).collect()
    }

    /// Changes content on the device, as decay does.
    pub fn damage(&self, path: &Path, change: impl Fn(&mut Vec<u8>)) {
        let mut state = self.state();
        let inode = state.names[path];
        let data = state.files.get_mut(&inode).unwrap();
        change(&mut data.seen);
        data.durable = data.seen.clone();
        data.dirty.clear();
    }

    /// Lays down a file with its folders, as copying it onto the disk would.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        let folders = path.ancestors().skip(1).filter(|p| p.parent().is_some()).map(Path::to_owned);
        state.dirs.extend(folders);
        state.next += 1;
        let inode = state.next;
        state.files.insert(inode, Data { seen: bytes.to_vec(), ..Data::default() });
        state.names.insert(path.to_owned(), inode);
        drop(state);
        self.settle();
    }

    /// Makes everything durable, as if the system had had time.
    pub fn settle(&self) {
        let mut state = self.state();
        state.durable_names = state.names.clone();
        state.durable_dirs = state.dirs.clone();
        for data in state.files.values_mut() {
            data.durable = data.seen.clone();
            data.dirty.clear();
        }
    }

    /// A copy of the disk as it is.
    pub fn fork(&self) -> FaultDisk {
        let s = self.state();
        FaultDisk {
            state: Arc::new(Mutex::new(State {
                names: s.names.clone(),
                durable_names: s.durable_names.clone(),
                dirs: s.dirs.clone(),
                durable_dirs: s.durable_dirs.clone(),
                files: s.files.clone(),
                next: s.next,
                ..State::default()
            })),
        }
    }

    /// What is left after a power cut: all that was flushed, and each dirty sector with this probability.
    /// Programs that still run keep working on the old disk and change nothing here.
    pub fn power_cut(&self, seed: u64, kept: f64) -> FaultDisk {
        let after = self.fork();
        let mut random = StdRng::seed_from_u64(seed);
        let mut state = after.state();
        state.names = state.durable_names.clone();
        state.dirs = state.durable_dirs.clone();
        for data in state.files.values_mut() {
            let mut left = data.durable.clone();
            let mut dirty: Vec<usize> = data.dirty.drain().collect();
            dirty.sort_unstable();
            for sector in dirty.into_iter().filter(|_| random.random_bool(kept)) {
                let (from, to) = (sector * SECTOR, ((sector + 1) * SECTOR).min(data.seen.len()));
                if left.len() < to {
                    left.resize(to, 0);
                }
                left[from..to].copy_from_slice(&data.seen[from..to]);
            }
            data.seen = left.clone();
            data.durable = left;
        }
        drop(state);
        after
    }
}

struct Handle {
    disk: FaultDisk,
    inode: u64,
    path: PathBuf,
}

struct Held(FaultDisk, PathBuf);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.state().locks.remove(&self.1);
    }
}

impl Disk for FaultDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<bool> {
        let mut state = self.state();
        let parent = dir.parent().filter(|p| p.parent().is_some());
        if parent.is_some_and(|p| !state.dirs.contains(p)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(state.dirs.insert(dir.to_owned()))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.sync_fails()?;
        let below = |p: &Path| p.parent() == Some(dir);
        let names: BTreeMap<PathBuf, u64> =
            state.names.iter().filter(|(p, _)| below(p)).map(|(p, i)| (p.clone(), *i)).collect();
        state.durable_names.retain(|p, _| !below(p));
        state.durable_names.extend(names);
        let dirs: Vec<PathBuf> = state.dirs.iter().filter(|p| below(p)).cloned().collect();
        state.durable_dirs.extend(dirs);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        if !state.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let names = state.names.keys().filter(|p| p.parent() == Some(dir));
        Ok(names.map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let inode = match (state.names.get(path).copied(), mode) {
            (Some(_), OpenMode::Create) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(inode), _) => inode,
            (None, OpenMode::Create) => {
                state.next += 1;
                let inode = state.next;
                state.files.insert(inode, Data::default());
                state.names.insert(path.to_owned(), inode);
                inode
            }
            (None, _) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(Handle { disk: self.clone(), inode, path: path.to_owned() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        // No name that promises something may come to point to data that is not flushed (R3).
        let promises = to.extension().is_none_or(|e| e != "spare");
        assert!(!promises || state.files[&inode].dirty.is_empty(), "rename of unflushed {from:?} to {to:?}");
        state.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.names.remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<Option<u64>> {
        Ok(self.state().plan.free_bytes)
    }

    fn total_bytes(&self, _: &Path) -> io::Result<Option<u64>> {
        Ok(self.state().plan.total_bytes)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let free = self.state().locks.insert(path.to_owned());
        Ok(free.then(|| Box::new(Held(self.clone(), path.to_owned())) as Lock))
    }
}

impl State {
    fn sync_fails(&mut self) -> io::Result<()> {
        self.syncs += 1;
        if strikes(&mut self.plan.fail_sync) { Err(eio()) } else { Ok(()) }
    }

    fn is_content(&self, inode: u64) -> bool {
        self.names.iter().any(|(p, i)| *i == inode && p.to_string_lossy().ends_with(".log"))
    }
}

/// Counts down; true once, at the end.
fn strikes(left: &mut Option<u64>) -> bool {
    let struck = *left == Some(1);
    *left = left.map(|n| n - 1).filter(|n| *n > 0);
    struck
}

impl Data {
    fn put(&mut self, bytes: &[u8], at: u64) {
        let (from, to) = (at as usize, at as usize + bytes.len());
        if self.seen.len() < to {
            self.seen.resize(to, 0);
        }
        self.seen[from..to].copy_from_slice(bytes);
        self.dirty.extend(from / SECTOR..to.div_ceil(SECTOR));
    }
}

impl DiskFile for Handle {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.read_bytes += buf.len() as u64;
        if let Some((name, from, to)) = &state.plan.unreadable {
            let overlaps = at < *to && at + buf.len() as u64 > *from;
            if overlaps && self.path.to_string_lossy().contains(name.as_str()) {
                return Err(eio());
            }
        }
        let seen = &state.files[&self.inode].seen;
        let rest = seen.get(at as usize..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.plan.no_room {
            // Part of it may have arrived.
            let half = &bytes[..bytes.len() / 2];
            state.files.get_mut(&self.inode).unwrap().put(half, at);
            return Err(io::ErrorKind::StorageFull.into());
        }
        let is_content =
            state.names.iter().any(|(p, i)| *i == self.inode && p.to_string_lossy().ends_with(".log"));
        let torn = match &mut state.plan.tear_write {
            _ if !is_content => None,
            Some((1, kept)) => Some(*kept),
            Some((n, _)) => {
                *n -= 1;
                None
            }
            None => None,
        };
        let data = state.files.get_mut(&self.inode).unwrap();
        match torn {
            Some(kept) => {
                data.put(&bytes[..kept.min(bytes.len())], at);
                state.plan.tear_write = None;
                Err(eio())
            }
            None => {
                data.put(bytes, at);
                Ok(())
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        while state.plan.hold_content_sync && state.is_content(self.inode) {
            drop(state);
            std::thread::sleep(std::time::Duration::from_millis(1));
            state = self.disk.state();
        }
        let struck = state.is_content(self.inode) && strikes(&mut state.plan.fail_content_sync);
        if let Err(e) = state.sync_fails().and(if struck { Err(eio()) } else { Ok(()) }) {
            // The pages are marked clean although the device never got them: a later flush does not bring them.
            let data = state.files.get_mut(&self.inode).unwrap();
            data.dirty.clear();
            return Err(e);
        }
        let data = state.files.get_mut(&self.inode).unwrap();
        // Only what is dirty reaches the device: what an earlier failed flush dropped does not.
        for sector in data.dirty.drain() {
            let (from, to) = (sector * SECTOR, ((sector + 1) * SECTOR).min(data.seen.len()));
            if data.durable.len() < to {
                data.durable.resize(to, 0);
            }
            data.durable[from..to].copy_from_slice(&data.seen[from..to]);
        }
        if data.durable.len() < data.seen.len() {
            data.durable.resize(data.seen.len(), 0);
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[&self.inode].seen.len() as u64)
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.plan.no_room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let data = state.files.get_mut(&self.inode).unwrap();
        let length = data.seen.len().max(bytes as usize);
        data.seen.resize(length, 0);
        Ok(())
    }
}
