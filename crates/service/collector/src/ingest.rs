//! One ingestion request, from its head to the answer after the log has its events safe.
//!
//! Order: method, declared size, key (where the head has it), throttle, state of the log, room, body, unpacking,
//! protocol, throttle of devices and users, append, answer. Whatever is refused is refused in the sender's protocol,
//! and as a whole unless the protocol can name single events.

use crate::route::Collector;
use crate::throttle::Settlement;
use crate::{body, cors, names, order, receipt, reply, throttle, visibility};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use http::{Method, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use tallymark_log::AppendError;
use tallymark_model::{Lane, Record};
use tallymark_wire::answer::Problem;
use tallymark_wire::body::{self as packed, Packing};
use tallymark_wire::call::SegmentCall;
use tallymark_wire::segment::webhook;
use tallymark_wire::{Answer, Call, Dialect, Parsed, Refusal, Throttled};

/// Larger bodies are unpacked and parsed beside the threads that serve connections.
const INLINE_BYTES: usize = 64 * 1024;
/// Why session recordings are not taken, in the books.
const RECORDING: &str = tallymark_wire::posthog::RECORDING;
/// `Retry-After` of an overload is up to so many seconds longer than it needs to be.
const SPREAD_S: u32 = 4;

/// Takes one request and answers it.
pub(crate) async fn handle(collector: Arc<Collector>, call: Call, request: Request<Body>) -> Response {
    let started = Instant::now();
    if cors::is_preflight(request.method(), request.headers()) {
        return cors::preflight(request.headers());
    }
    let ip = collector.client_ip(&request).map(|ip| ip.to_string());
    let (parts, body) = request.into_parts();
    let dialect = call.dialect();
    let response = match accept(&collector, call, &parts, ip, body).await {
        Ok(response) => response,
        Err(refusal) => {
            tracing::debug!(path = parts.uri.path(), problem = %refusal.problem, "refused");
            collector.refused.count(&refusal, collector.clock.now());
            reply::of_answer(spread(refusal.answer()))
        }
    };
    collector.totals.answered(response.status());
    let status = response.status().as_str().to_owned();
    metrics::counter!(names::REQUESTS, "protocol" => label(dialect), "status" => status).increment(1);
    metrics::histogram!(names::REQUEST_SECONDS).record(started.elapsed().as_secs_f64());
    cors::allow(&parts.headers, response)
}

async fn accept(
    collector: &Arc<Collector>,
    call: Call,
    parts: &Parts,
    ip: Option<String>,
    body: Body,
) -> Result<Response, Refusal> {
    let dialect = call.dialect();
    let refuse = |problem| Refusal::new(dialect, problem);
    let is_get = parts.method == Method::GET && call.allows_get();
    if parts.method != Method::POST && !is_get {
        return Err(refuse(Problem::Method));
    }
    let limit = call.wire_limit();
    let place = if declared_length(&parts.headers).is_some_and(|length| length > limit) {
        Err(Problem::TooLarge { limit, decoded: false })
    } else if let Some(throttled) = used_up(collector, call, parts) {
        Err(Problem::Throttled(Box::new(throttled)))
    } else {
        collector.admission.enter(collector.log.as_ref())
    };
    let mut place = match place {
        Ok(place) => place,
        Err(problem) => return Err(refuse(turn_away(collector, parts, body, problem).await)),
    };
    let query = parts.uri.query().unwrap_or("");
    let raw = if is_get {
        Bytes::copy_from_slice(query.as_bytes())
    } else {
        let read = body::read(body, limit, collector.config.body_timeout, &collector.admission, &mut place);
        match read.await {
            Ok(raw) => raw,
            Err((problem, rest)) => return Err(refuse(turn_away(collector, parts, rest, problem).await)),
        }
    };
    if call == Call::Segment(SegmentCall::SegmentWebhook) {
        signed(collector, &parts.headers, &raw).map_err(refuse)?;
    }
    let stamp = collector.in_flight.stamp(&collector.clock);
    let received_at = stamp.at;
    let heavy = raw.len() > INLINE_BYTES;
    let arrived = Arrived {
        call,
        is_get,
        path: parts.uri.path().to_owned(),
        headers: parts.headers.clone(),
        query: query.to_owned(),
        ip,
        raw,
        received_at,
    };
    let judge = {
        let collector = Arc::clone(collector);
        move || -> Result<(Parsed, Settlement), Refusal> {
            let mut parsed = arrived.understand()?;
            let settlement = collector.throttle.judge(&mut parsed, received_at)?;
            Ok((parsed, settlement))
        }
    };
    let (mut parsed, settlement) = if heavy {
        let turn = collector.admission.heavy().await;
        let work = tokio::task::spawn_blocking(move || {
            let judged = judge();
            drop(turn);
            judged
        });
        // A panic there is a bug of ours; the client may send again.
        work.await.map_err(|_| refuse(Problem::Uncertain("the request could not be read".into())))??
    } else {
        judge()?
    };
    if let Err(problem) = collector.admission.reserve(&mut place, parsed.payload_bytes) {
        collector.throttle.settle(settlement, false, received_at);
        let refusal = Refusal { dialect: parsed.dialect, ..refuse(problem) };
        return Err(refusal.of(parsed.token, parsed.envelopes.len()));
    }
    metrics::counter!(names::BODY_BYTES).increment(parsed.payload_bytes as u64);
    let retry_after_s = settlement.retry_after_s;
    let accepted = parsed.envelopes.len();
    order::set_apart(&mut parsed.envelopes, &collector.clock);
    let receipt = append(collector, &mut parsed).await;
    drop(stamp);
    collector.throttle.settle(settlement, receipt.is_ok(), received_at);
    let receipt = receipt?;
    collector.totals.accepted(accepted as u64);
    let visible = wait_visible(collector, parts, &parsed, &receipt).await;
    drop(place);
    let answer = parsed.answer(accepted, &receipt, visible, received_at);
    Ok(reply::of_answer(Answer { retry_after_s, ..answer }))
}

/// A webhook of Segment must carry a signature by one of the secrets, if there are any.
fn signed(collector: &Collector, headers: &HeaderMap, raw: &[u8]) -> Result<(), Problem> {
    let secrets = &collector.config.webhook_secrets;
    let signature = text(headers, HeaderName::from_static("x-signature")).unwrap_or_default();
    if secrets.is_empty() || secrets.iter().any(|secret| webhook::is_signed(secret, raw, &signature)) {
        return Ok(());
    }
    Err(Problem::InvalidBody("the header X-Signature does not fit the body and the shared secret".into()))
}

/// True if the key has nothing left and there is little room: then not even the body is read. Otherwise it is, so
/// that what is refused can be counted.
fn used_up(collector: &Collector, call: Call, parts: &Parts) -> Option<Throttled> {
    if !collector.admission.is_short() {
        return None;
    }
    let query = parts.uri.query().unwrap_or("");
    let authorization = text(&parts.headers, header::AUTHORIZATION);
    let token = tallymark_wire::token_before_body(call, query, authorization.as_deref())?;
    let is_bulk = call == Call::Native && query.split('&').any(|p| p == "lane=bulk");
    let lane = if is_bulk { Lane::Bulk } else { call.lane() };
    collector.throttle.refuse_unread(token, lane, collector.clock.now())
}

/// Clients that are told to come back are not all told the same second.
fn spread(answer: Answer) -> Answer {
    static TURN: AtomicU32 = AtomicU32::new(0);
    let later = |seconds| seconds + TURN.fetch_add(1, Ordering::Relaxed) % (SPREAD_S + 1);
    let retry_after_s =
        if answer.status == 503 { answer.retry_after_s.map(later) } else { answer.retry_after_s };
    Answer { retry_after_s, ..answer }
}

/// A refusal before the body was read: the client is allowed to finish sending, so that it sees the answer.
async fn turn_away(collector: &Collector, parts: &Parts, body: Body, problem: Problem) -> Problem {
    if !parts.headers.contains_key(header::EXPECT) {
        body::discard(body, collector.config.body_timeout).await;
    }
    problem
}

/// Appends the events; returns once they are durable, with their receipt.
async fn append(collector: &Collector, parsed: &mut Parsed) -> Result<String, Refusal> {
    let count = parsed.envelopes.len();
    for rejected in parsed.rejected.iter().filter(|rejected| rejected.code != throttle::REJECTED) {
        let reason = if rejected.code == RECORDING { RECORDING } else { "invalid_event" };
        collector.refused.add(parsed.token, collector.clock.now(), 1, reason);
        metrics::counter!(names::REJECTED).increment(1);
    }
    if count == 0 {
        return Ok(receipt::encode_receipt(&[]));
    }
    let started = Instant::now();
    let records: Vec<Record> = std::mem::take(&mut parsed.envelopes).into_iter().map(Record::Event).collect();
    let receipt = collector.log.append(records).await.map_err(|error| {
        tracing::warn!(%error, events = count, "the log refused a request");
        Refusal::new(parsed.dialect, problem_of(error)).of(parsed.token, count)
    })?;
    metrics::histogram!(names::APPEND_SECONDS).record(started.elapsed().as_secs_f64());
    metrics::counter!(names::EVENTS, "lane" => parsed.lane.name()).increment(count as u64);
    Ok(receipt::encode_receipt(&receipt.ranges))
}

fn problem_of(error: AppendError) -> Problem {
    match error {
        AppendError::Full { .. } => Problem::Unavailable("the disk of the log is full".into()),
        AppendError::TooLarge { max_bytes, .. } => {
            Problem::TooLarge { limit: usize::try_from(max_bytes).unwrap_or(usize::MAX), decoded: true }
        }
        AppendError::Poisoned { .. } => Problem::Uncertain("the log failed while writing".into()),
        AppendError::Unavailable { .. } => Problem::Overloaded("the log cannot take more now".into()),
    }
}

/// `?wait=visible` of the native protocol; `None` if the client did not ask.
async fn wait_visible(collector: &Collector, parts: &Parts, parsed: &Parsed, receipt: &str) -> Option<bool> {
    if parsed.dialect != Dialect::Native {
        return None;
    }
    let mut parameters = parts.uri.query().unwrap_or("").split('&');
    if !parameters.any(|p| p == "wait=visible") {
        return None;
    }
    let Some(probe) = &collector.probe else { return Some(false) };
    let authorization = text(&parts.headers, header::AUTHORIZATION);
    Some(
        visibility::wait(probe.as_ref(), receipt, authorization.as_deref(), collector.config.visible_timeout)
            .await,
    )
}

/// A request that is complete but not yet understood.
struct Arrived {
    call: Call,
    is_get: bool,
    path: String,
    headers: HeaderMap,
    query: String,
    ip: Option<String>,
    raw: Bytes,
    received_at: i64,
}

impl Arrived {
    fn understand(self) -> Result<Parsed, Refusal> {
        let content_encoding = if self.is_get { None } else { all(&self.headers, header::CONTENT_ENCODING) };
        let packing = Packing { content_encoding: content_encoding.as_deref(), query: &self.query };
        let decoded = packed::decode(self.raw, packing, self.call.decoded_limit())
            .map_err(|error| Refusal::new(self.call.dialect(), error.problem()))?;
        let authorization = text(&self.headers, header::AUTHORIZATION);
        let sent_at = text(&self.headers, HeaderName::from_static("sentat"));
        let user_agent = text(&self.headers, header::USER_AGENT);
        let extra: Vec<(&'static str, String)> = tallymark_wire::HEADERS
            .into_iter()
            .filter_map(|name| Some((name, text(&self.headers, HeaderName::from_static(name))?)))
            .collect();
        tallymark_wire::read(&tallymark_wire::Request {
            call: self.call,
            path: &self.path,
            query: &self.query,
            authorization: authorization.as_deref(),
            sent_at: sent_at.as_deref(),
            user_agent: user_agent.as_deref(),
            headers: &extra,
            form_key: decoded.form_key,
            form: decoded.form,
            ip: self.ip,
            body: decoded.body,
            received_at: self.received_at,
        })
    }
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
}

fn all(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn label(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Native => "native",
        Dialect::Amplitude | Dialect::AmplitudeText => "amplitude",
        Dialect::Posthog | Dialect::PosthogV1 => "posthog",
        Dialect::Mixpanel | Dialect::MixpanelTerse | Dialect::MixpanelImport => "mixpanel",
        Dialect::Heap | Dialect::Pixel => "heap",
        Dialect::Mparticle => "mparticle",
        Dialect::Braze => "braze",
        Dialect::Segment => "segment",
        Dialect::Shared => "batch",
    }
}
