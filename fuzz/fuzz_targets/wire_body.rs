//! Arbitrary bytes as a packed body: never more out than the limit, whatever the packing claims.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tallymark_wire::body::{Packing, decode};

const ENCODINGS: [Option<&str>; 6] =
    [None, Some("gzip"), Some("deflate"), Some("br"), Some("zstd"), Some("gzip, zstd")];
const QUERIES: [&str; 4] = ["", "compression=gzip-js", "compression=lz64", "compression=base64"];
const LIMIT: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let choice = usize::from(*choice);
    let packing = Packing {
        content_encoding: ENCODINGS[choice % ENCODINGS.len()],
        query: QUERIES[choice / 64 % QUERIES.len()],
    };
    if let Ok(decoded) = decode(Bytes::copy_from_slice(body), packing, LIMIT) {
        assert!(decoded.body.len() <= LIMIT);
    }
});
