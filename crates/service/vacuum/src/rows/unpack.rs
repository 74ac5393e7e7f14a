//! Compressed streams, and the bound on what may come out of them.

use super::Packing;
use std::io::{self, BufReader, Read};

const BUFFER: usize = 1 << 20;
/// A file may unpack to this many times its size; honest logs stay under a hundred.
const RATIO: u64 = 2_000;
/// Up to this size any ratio is fine.
const FREE: u64 = 1 << 30;

/// What a stream unpacks to.
pub(super) fn unpacked(reader: Box<dyn Read + Send>, packing: Packing) -> io::Result<Box<dyn Read + Send>> {
    let packed = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = Counted { reader, packed: packed.clone() };
    let buffered = BufReader::with_capacity(BUFFER, counted);
    let reader: Box<dyn Read + Send> = match packing {
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(buffered)?),
        Packing::Brotli => Box::new(brotli::Decompressor::new(buffered, 1 << 16)),
        Packing::Plain | Packing::Zip => Box::new(buffered),
    };
    Ok(Box::new(Bounded { reader, packed, out: 0 }))
}

struct Counted {
    reader: Box<dyn Read + Send>,
    packed: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.packed.fetch_add(n as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(n)
    }
}

struct Bounded {
    reader: Box<dyn Read + Send>,
    packed: std::sync::Arc<std::sync::atomic::AtomicU64>,
    out: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.out += n as u64;
        let packed = self.packed.load(std::sync::atomic::Ordering::Relaxed);
        if self.out > FREE && self.out > packed.saturating_mul(RATIO) {
            return Err(io::Error::other(format!("it unpacks to more than {RATIO} times its size")));
        }
        Ok(n)
    }
}
