//! Bounded decompression: the limit on size and the limit on growth hold at every step.

use super::BodyError;
use crate::limits;
use bytes::Bytes;
use std::io::Read;

/// Largest zstd window: 8 MiB, what RFC 8878 asks every decoder to support.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Undoes one layer of `encoding`.
pub(super) fn encoded(packed: &Bytes, encoding: &str, limit: usize) -> Result<Bytes, BodyError> {
    let bytes = packed.as_ref();
    let plain = match encoding.to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => bounded(flate2::read::MultiGzDecoder::new(bytes), bytes.len(), limit, "gzip"),
        "deflate" => deflate(bytes, limit),
        "br" => bounded(brotli::Decompressor::new(bytes, 16 * 1024), bytes.len(), limit, "brotli"),
        "zstd" => {
            let corrupt = |_| BodyError::Corrupt("zstd");
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(corrupt)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(corrupt)?;
            bounded(decoder, bytes.len(), limit, "zstd")
        }
        other => {
            let shown: String = other.chars().take(40).collect();
            Err(BodyError::Unknown(shown))
        }
    }?;
    Ok(Bytes::from(plain))
}

/// `deflate` means zlib (RFC 1950), but some clients send the raw stream (RFC 1951).
fn deflate(bytes: &[u8], limit: usize) -> Result<Vec<u8>, BodyError> {
    let zlib = bounded(flate2::read::ZlibDecoder::new(bytes), bytes.len(), limit, "deflate");
    match zlib {
        Err(BodyError::Corrupt(_)) => {
            bounded(flate2::read::DeflateDecoder::new(bytes), bytes.len(), limit, "deflate")
        }
        done => done,
    }
}

fn bounded(
    mut reader: impl Read,
    packed: usize,
    limit: usize,
    name: &'static str,
) -> Result<Vec<u8>, BodyError> {
    let mut out = Vec::with_capacity((packed * 4).min(limit).min(1 << 20));
    let mut chunk = vec![0u8; 32 * 1024];
    loop {
        let n = match reader.read(&mut chunk) {
            Ok(0) => return Ok(out),
            Ok(n) => n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(BodyError::Corrupt(name)),
        };
        if out.len() + n > limit {
            return Err(BodyError::TooLarge { limit });
        }
        out.extend_from_slice(&chunk[..n]);
        if out.len() > limits::RATIO_FREE_BYTES && out.len() / limits::RATIO > packed {
            return Err(BodyError::Ratio);
        }
    }
}
