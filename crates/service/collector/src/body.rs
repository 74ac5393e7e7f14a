//! Reads a body: never more than its limit, never longer than its time.

use crate::admission::{Admission, Place};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http_body_util::BodyExt;
use std::time::Duration;
use tallymark_wire::answer::Problem;
use tokio::time::{Instant, timeout_at};

/// Room is reserved in steps of this size, so that a request holds what it sends and not what it might send.
const STEP_BYTES: usize = 64 * 1024;
/// A refused request's body is still read up to here, because several SDKs lose the answer, and with it the
/// batch, when the server closes while they are sending.
const DISCARD_BYTES_MAX: usize = 32 << 20;

/// Reads the whole body.
pub(crate) async fn read(
    mut body: Body,
    limit: usize,
    time: Duration,
    admission: &Admission,
    place: &mut Place,
) -> Result<Bytes, (Problem, Body)> {
    let deadline = Instant::now() + time;
    let (mut out, mut reserved) = (BytesMut::new(), 0usize);
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err((Problem::Timeout, Body::empty())),
            Ok(None) => return Ok(out.freeze()),
            Ok(Some(Err(_))) => {
                let problem = Problem::InvalidBody("the connection broke while the body was sent".into());
                return Err((problem, Body::empty()));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if out.len() + data.len() > limit {
            return Err((Problem::TooLarge { limit, decoded: false }, body));
        }
        if out.len() + data.len() > reserved {
            let more = (out.len() + data.len() - reserved).max(STEP_BYTES.min(limit));
            if let Err(problem) = admission.reserve(place, more) {
                return Err((problem, body));
            }
            reserved += more;
        }
        out.extend_from_slice(&data);
    }
}

/// Reads and forgets what a refused client still sends, within bounds.
pub(crate) async fn discard(body: Body, time: Duration) {
    let mut left = DISCARD_BYTES_MAX;
    let mut stream = body.into_data_stream();
    let all = async {
        while let Some(Ok(data)) = stream.next().await {
            left = left.saturating_sub(data.len());
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(time, all).await;
}
