//! Where an import stands, kept beside nobody's data: a small file per (file, mapping, project).

use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The progress of one import.
pub struct Progress {
    path: PathBuf,
    rejects: PathBuf,
    done: u64,
}

impl Progress {
    /// Finds the progress of this very import, or starts at zero.
    pub fn open(state: &Path, file: &Path, size: u64, map: &[String], project: &str) -> io::Result<Progress> {
        let mut hasher = Sha256::new();
        let full = fs::canonicalize(file)?;
        for part in [full.to_string_lossy().as_bytes(), &size.to_le_bytes(), project.as_bytes()] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        for m in map {
            hasher.update(fs::read(m).unwrap_or_else(|_| m.clone().into_bytes()));
        }
        let name: String = hasher.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect();
        let path = state.join(format!("{name}.rows"));
        let done = fs::read_to_string(&path).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0);
        Ok(Progress { rejects: state.join(format!("{name}.rejected")), path, done })
    }

    /// Rows acknowledged by earlier runs and this one.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Notes that the first `rows` rows are acknowledged.
    pub fn advance(&mut self, rows: u64) -> io::Result<()> {
        self.done = rows;
        self.folder()?;
        let fresh = self.path.with_extension("new");
        fs::write(&fresh, rows.to_string())?;
        fs::rename(&fresh, &self.path)
    }

    /// Notes the end.
    pub fn finish(&mut self, rows: u64) -> io::Result<()> {
        self.advance(rows)
    }

    /// Appends a refused row to the rejects file.
    pub fn reject(&mut self, line: u64, why: &str) -> io::Result<()> {
        self.folder()?;
        let mut file: File = OpenOptions::new().create(true).append(true).open(&self.rejects)?;
        writeln!(file, "{line}\t{why}")
    }

    fn folder(&self) -> io::Result<()> {
        self.path.parent().map_or(Ok(()), fs::create_dir_all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_goes_on_where_it_stopped_and_another_mapping_starts_over() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.csv");
        fs::write(&file, "a\n1\n").unwrap();
        let open = |map: &[String]| Progress::open(dir.path(), &file, 4, map, "demo").unwrap();
        open(&[]).advance(7).unwrap();
        assert_eq!(open(&[]).done(), 7);
        assert_eq!(open(&["event='x'".to_owned()]).done(), 0);
    }
}
