//! Checkpoint files: state at one commit, so that starting does not fold everything again.
//!
//! ```text
//! {commit seq, 20 digits}.state
//! magic 8 "TMCKPT\0\1" | fold bytes u64 | crc32c of these 16, u32
//! fold: a frame (see codec), carries the commit it stands at
//! dedup: days u32 | per day: day i32, entries u64, keys 8 each, positions 8 each | crc32c u32
//! ```
//! Guarantees: a file appears whole or not at all (written beside, fsync, rename, fsync of the folder); damage is
//! found by checksum and makes the file ignored, never half read; the newest two are kept; the frame of the fold says
//! its version, and older ones are read.
//! Deliberately not here: when to write one (the processor decides).

use crate::StateError;
use crate::codec::{FrameKind, Reader, Writer, open, seal};
use crate::dedup::{DedupEntry, DedupIndex};
use crate::fold::Fold;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use tallymark_model::CommitSeq;

const MAGIC: &[u8; 8] = b"TMCKPT\0\x01";
const HEADER: usize = 8 + 8 + 4;
/// Checkpoints kept: the newest, and one to fall back to.
const KEPT: usize = 2;

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StateError {
    let path = path.display().to_string();
    move |source| StateError::Io { action, path, source }
}

/// Writes a checkpoint and removes those no longer kept.
pub(crate) fn write(dir: &Path, fold: &Fold, dedup: &DedupIndex) -> Result<CommitSeq, StateError> {
    fs::create_dir_all(dir).map_err(io("cannot create", dir))?;
    let seq = fold.applied();
    let path = dir.join(format!("{:020}.state", seq.0));
    let beside = dir.join(format!("{:020}.tmp-{}", seq.0, std::process::id()));
    let file = File::create(&beside).map_err(io("cannot create", &beside))?;
    let written =
        write_all(&file, fold, dedup).and_then(|()| file.sync_all().map_err(io("cannot sync", &beside)));
    if let Err(e) = written {
        // The half-written file is of no use; failing to remove it changes nothing.
        let _ = fs::remove_file(&beside);
        return Err(e);
    }
    fs::rename(&beside, &path).map_err(io("cannot rename", &beside))?;
    File::open(dir).and_then(|d| d.sync_all()).map_err(io("cannot sync", dir))?;
    remove_old(dir)?;
    Ok(seq)
}

fn write_all(file: &File, fold: &Fold, dedup: &DedupIndex) -> Result<(), StateError> {
    let mut body = Writer::default();
    fold.write(&mut body);
    let frame = seal(FrameKind::Fold, &body.0)?;
    drop(body);
    let mut head = Vec::with_capacity(HEADER);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&(frame.len() as u64).to_le_bytes());
    head.extend_from_slice(&crc32c::crc32c(&head).to_le_bytes());
    let mut out = Checked { inner: BufWriter::with_capacity(1 << 20, file), crc: 0 };
    let put = |out: &mut Checked<BufWriter<&File>>| -> std::io::Result<()> {
        out.inner.write_all(&head)?;
        out.inner.write_all(&frame)?;
        write_dedup(out, dedup)?;
        let crc = out.crc;
        out.inner.write_all(&crc.to_le_bytes())?;
        out.inner.flush()
    };
    put(&mut out).map_err(|source| StateError::Io {
        action: "cannot write",
        path: "checkpoint".into(),
        source,
    })
}

/// Keeps a running checksum of what passes.
struct Checked<W> {
    inner: W,
    crc: u32,
}

impl<W: Write> Checked<W> {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.inner.write_all(bytes)
    }
}

fn write_dedup<W: Write>(out: &mut Checked<W>, dedup: &DedupIndex) -> std::io::Result<()> {
    let days = dedup.days();
    out.put(&(days.len() as u32).to_le_bytes())?;
    for day in days {
        out.put(&day.day.to_le_bytes())?;
        out.put(&(day.keys.len() as u64).to_le_bytes())?;
        for column in [&day.keys, &day.positions] {
            for chunk in column.chunks(8192) {
                let bytes: Vec<u8> = chunk.iter().flat_map(|n| n.to_le_bytes()).collect();
                out.put(&bytes)?;
            }
        }
    }
    Ok(())
}

/// The checkpoints of a folder, newest first.
pub(crate) fn list(dir: &Path) -> Result<Vec<PathBuf>, StateError> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(io("cannot list", dir))?,
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|x| x == "state"))
        .collect();
    // Names have a fixed width, so their order is the order of commits.
    files.sort_unstable();
    files.reverse();
    Ok(files)
}

/// Reads the fold of a checkpoint, and the index too if a window is given.
pub(crate) fn read(path: &Path, window_days: Option<u16>) -> Result<(Fold, Option<DedupIndex>), StateError> {
    let mut file = File::open(path).map_err(io("cannot open", path))?;
    let mut head = [0; HEADER];
    file.read_exact(&mut head).map_err(io("cannot read", path))?;
    let damaged = |detail: &str| StateError::Damaged { what: "checkpoint", detail: detail.to_owned() };
    if &head[..8] != MAGIC || crc32c::crc32c(&head[..16]).to_le_bytes() != head[16..] {
        return Err(damaged("its header is not one"));
    }
    let mut length = [0; 8];
    length.copy_from_slice(&head[8..16]);
    let length = u64::from_le_bytes(length);
    let size = file.metadata().map_err(io("cannot read", path))?.len();
    if length > size {
        return Err(damaged("it is shorter than its header says"));
    }
    let mut frame = vec![0; length as usize];
    file.read_exact(&mut frame).map_err(io("cannot read", path))?;
    let (version, body) = open(FrameKind::Fold, &frame)?;
    let fold = Fold::read(&mut Reader::new(&body, "checkpoint"), version)?;
    let Some(window_days) = window_days else { return Ok((fold, None)) };
    let mut rest = Vec::with_capacity((size - length) as usize);
    file.read_to_end(&mut rest).map_err(io("cannot read", path))?;
    Ok((fold, Some(read_dedup(&rest, window_days)?)))
}

fn read_dedup(bytes: &[u8], window_days: u16) -> Result<DedupIndex, StateError> {
    let damaged = |detail: &str| StateError::Damaged { what: "checkpoint", detail: detail.to_owned() };
    let Some(end) = bytes.len().checked_sub(4) else { return Err(damaged("it ends before its checksum")) };
    if crc32c::crc32c(&bytes[..end]).to_le_bytes() != bytes[end..] {
        return Err(damaged("the checksum of its dedup index does not match"));
    }
    let mut r = Reader::new(&bytes[..end], "checkpoint");
    let mut index = DedupIndex::new(window_days);
    for _ in 0..raw32(&mut r)? {
        let day = raw32(&mut r)? as i32;
        let count = usize::try_from(r.raw64()?).unwrap_or(usize::MAX);
        let column = count.checked_mul(8).ok_or_else(|| damaged("it has an impossible day"))?;
        let (keys, positions) = (r.take(column)?, r.take(column)?);
        for (key, position) in keys.chunks_exact(8).zip(positions.chunks_exact(8)) {
            index.insert(DedupEntry { key: le64(key), position: le64(position), day });
        }
    }
    r.end()?;
    Ok(index)
}

fn raw32(r: &mut Reader<'_>) -> Result<u32, StateError> {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(r.take(4)?);
    Ok(u32::from_le_bytes(bytes))
}

fn le64(chunk: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(chunk);
    u64::from_le_bytes(bytes)
}

/// Removes checkpoints beyond those kept, and what crashes left beside them.
fn remove_old(dir: &Path) -> Result<(), StateError> {
    for path in list(dir)?.into_iter().skip(KEPT) {
        fs::remove_file(&path).map_err(io("cannot remove", &path))?;
    }
    for entry in fs::read_dir(dir).map_err(io("cannot list", dir))?.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().contains(".tmp-") {
            fs::remove_file(entry.path()).map_err(io("cannot remove", &entry.path()))?;
        }
    }
    Ok(())
}
