//! Bytes in and out: varints, text, and the frame around everything this crate persists.
//!
//! ```text
//! frame:  magic 4 | version 1 | kind 1 | plain length u64 LE | zstd bytes ... | crc32c u32 LE (of all before it)
//! body:   unsigned = LEB128, signed = zigzag + LEB128, text and bytes = length + bytes
//! ```
//! Guarantees: reading never panics and never reserves more than the input can justify; damage is an error.
//! Deliberately not here: what the bytes mean.

use crate::StateError;
use tallymark_model::{Seq, SubjectId};

/// First bytes of every frame.
const MAGIC: &[u8; 4] = b"TMST";
/// Version of the frame and of the bodies inside. Older ones are read for ever: 1 knew no control records and no
/// restatements.
const VERSION: u8 = 2;
const HEADER: usize = 4 + 1 + 1 + 8;
/// Largest body that is believed: protects memory against a length that passed its checksum by malice.
const BODY_BYTES_MAX: u64 = 16 << 30;

/// What a frame holds. The numbers are persisted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FrameKind {
    Delta = 1,
    Fold = 2,
}

/// Wraps a body into a compressed, checked frame.
pub(crate) fn seal(kind: FrameKind, body: &[u8]) -> Result<Vec<u8>, StateError> {
    let mut out = Vec::with_capacity(HEADER + body.len() / 3 + 64);
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    out.push(kind as u8);
    out.extend_from_slice(&(body.len() as u64).to_le_bytes());
    let packed = zstd::bulk::compress(body, 1)
        .map_err(|e| StateError::Damaged { what: "compressor", detail: e.to_string() })?;
    out.extend_from_slice(&packed);
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    Ok(out)
}

/// The version and the body of a frame, after its checks.
pub(crate) fn open(kind: FrameKind, bytes: &[u8]) -> Result<(u8, Vec<u8>), StateError> {
    let damaged = |detail: String| StateError::Damaged { what: "frame", detail };
    if bytes.len() < HEADER + 4 || &bytes[..4] != MAGIC {
        return Err(damaged(format!("{} bytes without the expected opening", bytes.len())));
    }
    let (content, crc) = bytes.split_at(bytes.len() - 4);
    let found = crc32c::crc32c(content).to_le_bytes();
    if crc != found {
        return Err(damaged(format!("checksum {crc:02x?} is not that of the content, {found:02x?}")));
    }
    if content[4] == 0 || content[4] > VERSION {
        return Err(StateError::Version { found: content[4], newest: VERSION });
    }
    if content[5] != kind as u8 {
        return Err(damaged(format!("kind {} where {} belongs", content[5], kind as u8)));
    }
    let mut length = [0; 8];
    length.copy_from_slice(&content[6..HEADER]);
    let length = u64::from_le_bytes(length);
    if length > BODY_BYTES_MAX {
        return Err(damaged(format!("a body of {length} bytes")));
    }
    let body = zstd::bulk::decompress(&content[HEADER..], length as usize)
        .map_err(|e| damaged(format!("cannot be decompressed: {e}")))?;
    if body.len() as u64 != length {
        return Err(damaged(format!("{} bytes where {length} were announced", body.len())));
    }
    Ok((content[4], body))
}

/// Appends values to a body.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, n: u8) {
        self.0.push(n);
    }
    pub(crate) fn u64(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }
    pub(crate) fn i64(&mut self, n: i64) {
        self.u64(((n << 1) ^ (n >> 63)) as u64);
    }
    /// Eight bytes as they are: for values that do not compress.
    pub(crate) fn raw64(&mut self, n: u64) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }
    pub(crate) fn bytes(&mut self, b: &[u8]) {
        self.u64(b.len() as u64);
        self.0.extend_from_slice(b);
    }
    pub(crate) fn str(&mut self, s: &str) {
        self.bytes(s.as_bytes());
    }
    pub(crate) fn seq(&mut self, seq: Seq) {
        self.i64(seq.received_at);
        self.u64(seq.position);
    }
    pub(crate) fn subject(&mut self, s: SubjectId) {
        self.u64(u64::from(s.0));
    }
    /// A list: its length, then each item.
    pub(crate) fn list<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut each: impl FnMut(&mut Writer, T),
    ) {
        self.u64(items.len() as u64);
        for item in items {
            each(self, item);
        }
    }
}

/// Takes values from a body.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8], what: &'static str) -> Self {
        Reader { rest: body, what }
    }
    pub(crate) fn damaged(&self, detail: impl Into<String>) -> StateError {
        StateError::Damaged { what: self.what, detail: detail.into() }
    }
    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], StateError> {
        if n > self.rest.len() {
            return Err(self.damaged(format!("{n} bytes expected, {} left", self.rest.len())));
        }
        let (head, rest) = self.rest.split_at(n);
        self.rest = rest;
        Ok(head)
    }
    pub(crate) fn u8(&mut self) -> Result<u8, StateError> {
        Ok(self.take(1)?[0])
    }
    pub(crate) fn u64(&mut self) -> Result<u64, StateError> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            n |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(self.damaged("a number longer than 64 bits"))
    }
    pub(crate) fn u32(&mut self) -> Result<u32, StateError> {
        let n = self.u64()?;
        u32::try_from(n).map_err(|_| self.damaged(format!("{n} does not fit 32 bits")))
    }
    pub(crate) fn i64(&mut self) -> Result<i64, StateError> {
        let n = self.u64()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }
    pub(crate) fn raw64(&mut self) -> Result<u64, StateError> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(bytes))
    }
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], StateError> {
        let n = self.u64()?;
        self.take(usize::try_from(n).unwrap_or(usize::MAX))
    }
    pub(crate) fn str(&mut self) -> Result<&'a str, StateError> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|e| self.damaged(e.to_string()))
    }
    pub(crate) fn seq(&mut self) -> Result<Seq, StateError> {
        Ok(Seq { received_at: self.i64()?, position: self.u64()? })
    }
    pub(crate) fn subject(&mut self) -> Result<SubjectId, StateError> {
        self.u32().map(SubjectId)
    }
    /// A list written by [`Writer::list`]. Every item takes at least one byte, which bounds what is reserved.
    pub(crate) fn list<T>(
        &mut self,
        mut each: impl FnMut(&mut Reader<'a>) -> Result<T, StateError>,
    ) -> Result<Vec<T>, StateError> {
        let n = self.u64()?;
        if n > self.rest.len() as u64 {
            return Err(self.damaged(format!("a list of {n} in {} bytes", self.rest.len())));
        }
        (0..n).map(|_| each(self)).collect()
    }
    /// Fails if anything is left.
    pub(crate) fn end(&self) -> Result<(), StateError> {
        match self.rest.len() {
            0 => Ok(()),
            n => Err(self.damaged(format!("{n} bytes left over"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_round_trip(a: u64, b: i64, c: String, d: u64) {
            let mut w = Writer::default();
            w.u64(a);
            w.i64(b);
            w.str(&c);
            w.raw64(d);
            let mut r = Reader::new(&w.0, "test");
            prop_assert_eq!((r.u64()?, r.i64()?, r.str()?.to_owned(), r.raw64()?), (a, b, c, d));
            r.end()?;
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let mut r = Reader::new(&bytes, "test");
            let _ = r.list(|r| Ok((r.u64()?, r.str()?.len(), r.seq()?)));
            prop_assert!(open(FrameKind::Delta, &bytes).is_err());
        }

        #[test]
        fn any_changed_byte_is_noticed(body: Vec<u8>, at: prop::sample::Index, flip in 1u8..) {
            let mut sealed = seal(FrameKind::Delta, &body)?;
            prop_assert_eq!(open(FrameKind::Delta, &sealed)?, (VERSION, body));
            prop_assert!(open(FrameKind::Fold, &sealed).is_err());
            let i = at.index(sealed.len());
            sealed[i] ^= flip;
            prop_assert!(open(FrameKind::Delta, &sealed).is_err());
        }
    }
}
