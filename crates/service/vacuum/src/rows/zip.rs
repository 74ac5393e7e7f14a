//! The members of a zip archive as one stream, in the order of its directory, a line end after each.
//!
//! ```text
//! … [local header, 30 bytes + names][data] … [directory: 46 bytes + names each] [end: "PK\5\6", 22 bytes + comment]
//! ```
//! Members are stored or deflated; those whose name ends with `.gz` are unpacked once more. Guarantees: names are never
//! used for anything else. Deliberately not here: encryption, and archives of more than 4 GiB or 65,535 members, which
//! are refused.

use super::Packing;
use super::unpack::unpacked;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

const END: [u8; 4] = *b"PK\x05\x06";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";

struct Member {
    gzip: bool,
    deflated: bool,
    offset: u64,
    packed: u64,
}

/// Everything in an archive.
pub(super) struct Members {
    file: Arc<File>,
    left: std::vec::IntoIter<Member>,
    current: Option<Box<dyn Read + Send>>,
}

impl Members {
    /// Reads the directory.
    pub fn open(file: File) -> io::Result<Members> {
        let size = file.metadata()?.len();
        let tail_at = size.saturating_sub(22 + 65_535);
        let mut tail = vec![0; (size - tail_at) as usize];
        file.read_exact_at(&mut tail, tail_at)?;
        let end = tail.windows(4).rposition(|w| w == END).ok_or_else(|| bad("it has no directory"))?;
        let end = tail.get(end..end + 22).ok_or_else(|| bad("it is cut off"))?;
        let (count, bytes, at) = (u16_at(end, 10), u32_at(end, 12), u32_at(end, 16));
        if count == u16::MAX || bytes == u32::MAX || at == u32::MAX {
            return Err(bad("archives of more than 4 GiB or 65,535 members are not read"));
        }
        if u64::from(at) + u64::from(bytes) > size {
            return Err(bad("its directory is outside of it"));
        }
        let mut directory = vec![0; bytes as usize];
        file.read_exact_at(&mut directory, u64::from(at))?;
        let members = members(&directory, count)?;
        Ok(Members { file: Arc::new(file), left: members.into_iter(), current: None })
    }

    fn open_member(&self, member: &Member) -> io::Result<Box<dyn Read + Send>> {
        let mut local = [0; 30];
        self.file.read_exact_at(&mut local, member.offset)?;
        if local[..4] != LOCAL {
            return Err(bad("a member is not where the directory says"));
        }
        let names = u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
        let at = member.offset + 30 + names;
        let packed: Box<dyn Read + Send> =
            Box::new(Slice { file: self.file.clone(), at, end: at + member.packed });
        let data: Box<dyn Read + Send> =
            if member.deflated { Box::new(flate2::read::DeflateDecoder::new(packed)) } else { packed };
        let packing = if member.gzip { Packing::Gzip } else { Packing::Plain };
        Ok(Box::new(unpacked(data, packing)?.chain(&b"\n"[..])))
    }
}

fn members(directory: &[u8], count: u16) -> io::Result<Vec<Member>> {
    let (mut members, mut rest) = (Vec::new(), directory);
    for _ in 0..count {
        let header =
            rest.get(..46).filter(|h| h[..4] == ENTRY).ok_or_else(|| bad("its directory is damaged"))?;
        let (flags, method) = (u16_at(header, 8), u16_at(header, 10));
        let (packed, size, offset) = (u32_at(header, 20), u32_at(header, 24), u32_at(header, 42));
        let name_len = usize::from(u16_at(header, 28));
        let whole = 46 + name_len + usize::from(u16_at(header, 30)) + usize::from(u16_at(header, 32));
        let name = rest.get(46..46 + name_len).ok_or_else(|| bad("its directory is damaged"))?;
        let folder = name.ends_with(b"/");
        // What Finder adds to every archive.
        let noise = name.starts_with(b"__MACOSX/") || name.ends_with(b".DS_Store");
        let gzip = name.to_ascii_lowercase().ends_with(b".gz");
        rest = rest.get(whole..).ok_or_else(|| bad("its directory is damaged"))?;
        if folder || noise {
            continue;
        }
        if flags & 1 != 0 || !matches!(method, 0 | 8) {
            return Err(bad("a member is encrypted or packed in a way that is not read"));
        }
        if [packed, size, offset].contains(&u32::MAX) {
            return Err(bad("a member of more than 4 GiB is not read"));
        }
        members.push(Member { gzip, deflated: method == 8, offset: offset.into(), packed: packed.into() });
    }
    Ok(members)
}

impl Read for Members {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(current) = &mut self.current {
                match current.read(buffer)? {
                    0 if !buffer.is_empty() => self.current = None,
                    n => return Ok(n),
                }
            }
            let Some(next) = self.left.next() else { return Ok(0) };
            self.current = Some(self.open_member(&next)?);
        }
    }
}

/// A part of a file.
struct Slice {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Slice {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.file.read_at(&mut buffer[..most], self.at)?;
        if n == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += n as u64;
        Ok(n)
    }
}

fn bad(why: &str) -> io::Error {
    io::Error::other(format!("the zip archive: {why}"))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
