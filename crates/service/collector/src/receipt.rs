//! The receipt of a native request: which offsets its events got, as text that a client can keep.
//!
//! base64url without padding of the JSON `[[lane,partition,from,to],…]`, half-open, ordered by shard.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tallymark_model::{Lane, Position, Shard};

/// Most ranges of one receipt: every partition of both lanes.
const RANGES_MAX: usize = 2 * 16_384;

/// Why a text is not a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a receipt of this server")]
pub struct ReceiptError;

/// The receipt for these `(shard, from, to)` ranges.
pub fn encode_receipt(ranges: &[(Shard, u64, u64)]) -> String {
    let rows: Vec<(u8, u16, u64, u64)> =
        ranges.iter().map(|(shard, from, to)| (shard.lane as u8, shard.partition, *from, *to)).collect();
    let json = serde_json::to_vec(&rows).unwrap_or_default();
    BASE64_URL_SAFE_NO_PAD.encode(json)
}

/// The ranges of a receipt.
pub fn decode_receipt(receipt: &str) -> Result<Vec<(Shard, u64, u64)>, ReceiptError> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(receipt).map_err(|_| ReceiptError)?;
    let rows: Vec<(u8, u16, u64, u64)> = serde_json::from_slice(&json).map_err(|_| ReceiptError)?;
    if rows.len() > RANGES_MAX {
        return Err(ReceiptError);
    }
    let range = |(lane, partition, from, to): (u8, u16, u64, u64)| {
        let lane = Lane::from_index(lane).ok_or(ReceiptError)?;
        let fine = partition < 16_384 && from <= to && to <= Position::OFFSET_MAX;
        if fine { Ok((Shard { lane, partition }, from, to)) } else { Err(ReceiptError) }
    };
    rows.into_iter().map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn receipts_round_trip(rows in prop::collection::vec((0u8..2, 0u16..16_384, 0u64..1 << 40, 0u64..1000), 0..20)) {
            let ranges: Vec<_> = rows
                .into_iter()
                .map(|(lane, partition, from, n)| (Shard { lane: Lane::ALL[usize::from(lane)], partition }, from, from + n))
                .collect();
            prop_assert_eq!(decode_receipt(&encode_receipt(&ranges)), Ok(ranges));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = decode_receipt(&text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for json in ["{}", "[[2,0,0,1]]", "[[0,16384,0,1]]", "[[0,0,5,1]]", "[[0,0,0]]", "[[0,0,-1,1]]"] {
            assert_eq!(decode_receipt(&BASE64_URL_SAFE_NO_PAD.encode(json)), Err(ReceiptError), "{json}");
        }
        assert_eq!(decode_receipt("***"), Err(ReceiptError));
    }
}
