//! Receipts: what became of the events of one request.
//!
//! Guarantees: a receipt is only a list of positions; whoever makes one up learns counts of outcomes, never
//! events; its size is bounded, so nobody can have the whole history counted.
//! Deliberately not here: making receipts (the collector).

use crate::extract::Segments;
use crate::schemas::{ErrorBody, ReceiptBody, ReceiptOutcomes};
use crate::{ApiError, ApiState, codes};
use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use std::collections::HashMap;
use tallymark_ledger::{Interval, IntervalSet};
use tallymark_model::{Lane, Position, Shard};

const RANGES_MAX: usize = 10_000;
/// Far beyond what one request can hold.
const POSITIONS_MAX: u64 = 1_000_000;

#[derive(Debug, Deserialize)]
pub(crate) struct ReceiptPath {
    receipt: String,
}

/// What became of the events of a request, by its receipt.
#[utoipa::path(get, path = "/api/v1/receipts/{receipt}", tag = "books", responses(
    (status = 200, body = ReceiptBody), (status = 400, body = ErrorBody)))]
pub(crate) async fn get(
    State(state): State<ApiState>,
    Segments(path): Segments<ReceiptPath>,
) -> Result<Json<ReceiptBody>, ApiError> {
    let ranges = parse(&path.receipt)?;
    let positions = ranges.len();
    if positions > POSITIONS_MAX {
        return Err(bad(format!("it names {positions} positions; no request is that large")));
    }
    let ends: HashMap<Shard, u64> =
        state.parts.backlog.bounds().await?.into_iter().map(|b| (b.shard, b.end)).collect();
    if let Some(beyond) = ranges.iter().find(|r| r.to > ends.get(&r.shard).copied().unwrap_or(0)) {
        return Err(bad(format!("the log has no records {beyond}; is the receipt from another instance?")));
    }
    let cursors: HashMap<Shard, u64> =
        state.parts.catalog.cursors().await?.into_iter().map(|c| (c.shard, c.position)).collect();
    let accounted: Vec<Interval> = ranges
        .iter()
        .map(|r| Interval { to: r.to.min(cursors.get(&r.shard).copied().unwrap_or(0)), ..r })
        .filter(|r| !r.is_empty())
        .collect();
    let tally = state.parts.outcomes.count(&accounted).await?;
    let pending = positions.saturating_sub(tally.total());
    let outcomes = ReceiptOutcomes {
        visible: tally.visible,
        duplicate: tally.duplicate,
        filtered: tally.filtered,
        dead: tally.dead,
        pending,
    };
    Ok(Json(ReceiptBody { positions, outcomes, durable: true, visible: pending == 0 }))
}

fn bad(why: impl Into<String>) -> ApiError {
    ApiError::new(&codes::BAD_RECEIPT, why)
}

fn parse(receipt: &str) -> Result<IntervalSet, ApiError> {
    let bytes = URL_SAFE_NO_PAD
        .decode(receipt.trim_end_matches('='))
        .map_err(|e| bad(format!("not base64url: {e}")))?;
    let ranges: Vec<(u8, u16, u64, u64)> =
        serde_json::from_slice(&bytes).map_err(|e| bad(format!("not a list of ranges: {e}")))?;
    if ranges.len() > RANGES_MAX {
        return Err(bad(format!("more than {RANGES_MAX} ranges")));
    }
    ranges
        .into_iter()
        .map(|(lane, partition, from, to)| {
            let lane = Lane::from_index(lane).ok_or_else(|| bad(format!("there is no lane {lane}")))?;
            if from > to || to > Position::OFFSET_MAX {
                return Err(bad(format!("the range {from} to {to} cannot be")));
            }
            Ok(Interval::new(Shard { lane, partition }, from, to))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(json: &str) -> String {
        URL_SAFE_NO_PAD.encode(json)
    }

    #[test]
    fn receipts_are_lists_of_ranges() {
        let set = parse(&encoded("[[0,1,5,9],[1,0,0,2],[0,1,9,10]]")).unwrap();
        let ranges: Vec<String> = set.iter().map(|i| i.to_string()).collect();
        assert_eq!(ranges, ["live/1[5,10)", "bulk/0[0,2)"]);
        for junk in [
            "%%%",
            "abc",
            &encoded("{}"),
            &encoded("[[9,0,0,1]]"),
            &encoded("[[0,0,6,5]]"),
            &encoded("[[0,0,-1,5]]"),
        ] {
            assert!(parse(junk).is_err_and(|e| e.is(&codes::BAD_RECEIPT)), "{junk}");
        }
    }
}
