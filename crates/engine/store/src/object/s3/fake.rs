//! A small S3 server in this process, for what a real one does not do on demand: fail, refuse, and answer in pages.
//! That the real protocol is spoken is tested end to end against a server that somebody else wrote.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

/// Keys in one page of a list.
const PAGE: usize = 2;

#[derive(Default)]
pub struct Inner {
    pub objects: BTreeMap<String, Bytes>,
    pub uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    /// Method and key of every request.
    pub asked: Vec<String>,
    /// Answers to come before anything is done.
    pub failures: Vec<(StatusCode, &'static str)>,
    /// The same failure for every request to which this applies.
    pub always: Option<fn(&Method, &HashMap<String, String>) -> Option<(StatusCode, &'static str)>>,
    /// `If-None-Match` is not understood.
    pub forgetful: bool,
}

#[derive(Clone, Default)]
pub struct Fake(pub Arc<Mutex<Inner>>);

impl Fake {
    /// Starts it; answers its address.
    pub async fn start() -> (Fake, String) {
        let fake = Fake::default();
        let app = Router::new()
            .route("/bucket", any(answer))
            .route("/bucket/{*key}", any(answer))
            .layer(DefaultBodyLimit::disable())
            .with_state(fake.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (fake, address)
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }
}

async fn answer(
    State(fake): State<Fake>,
    key: Option<Path<String>>,
    Query(query): Query<HashMap<String, String>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let key = key.map(|Path(key)| key).unwrap_or_default();
    fake.with(|inner| inner.answer(&key, &query, &method, &headers, body))
}

impl Inner {
    fn answer(
        &mut self,
        key: &str,
        query: &HashMap<String, String>,
        method: &Method,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Response {
        self.asked.push(format!("{method} {key}"));
        let signed = headers.get("authorization").and_then(|a| a.to_str().ok()).unwrap_or_default();
        if !signed.starts_with("AWS4-HMAC-SHA256 Credential=key/") {
            return refuse(StatusCode::FORBIDDEN, "AccessDenied");
        }
        let always = self.always.and_then(|judge| judge(method, query));
        if let Some((status, code)) = always.or_else(|| self.failures.pop()) {
            return refuse(status, code);
        }
        let upload = query.get("uploadId").cloned();
        match (method.as_str(), upload) {
            ("GET", None) if key.is_empty() => self.list(query),
            ("POST", None) if query.contains_key("delete") => self.delete(&body),
            ("POST", None) if query.contains_key("uploads") => {
                self.uploads.insert("one".to_owned(), BTreeMap::new());
                xml("<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>")
            }
            ("PUT", Some(upload)) => {
                let number = query["partNumber"].parse().unwrap();
                // A part that was on its way when the upload was given up.
                let Some(parts) = self.uploads.get_mut(&upload) else {
                    return refuse(StatusCode::NOT_FOUND, "NoSuchUpload");
                };
                parts.insert(number, body);
                ([("etag", format!("\"{number}\""))], "").into_response()
            }
            ("POST", Some(upload)) => {
                let parts = self.uploads.remove(&upload).unwrap();
                self.objects.insert(key.to_owned(), parts.into_values().flatten().collect());
                xml("<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>")
            }
            ("DELETE", Some(upload)) => {
                self.uploads.remove(&upload);
                StatusCode::NO_CONTENT.into_response()
            }
            ("PUT", None) => {
                let only_new = headers.contains_key("if-none-match") && !self.forgetful;
                if only_new && self.objects.contains_key(key) {
                    return refuse(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
                }
                self.objects.insert(key.to_owned(), body);
                ([("etag", "\"x\"")], "").into_response()
            }
            ("GET" | "HEAD", None) => self.read(key, headers),
            _ => refuse(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        }
    }

    fn read(&self, key: &str, headers: &HeaderMap) -> Response {
        let Some(object) = self.objects.get(key) else {
            return refuse(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let about = [("etag", "\"x\""), ("last-modified", "Sat, 21 Nov 2026 00:00:00 GMT")];
        let Some(range) = headers.get("range").and_then(|r| r.to_str().ok()) else {
            return (about, object.clone()).into_response();
        };
        let (from, to) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
        if from >= object.len() {
            return refuse(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
        }
        let end = (to + 1).min(object.len());
        let said = [("content-range", format!("bytes {from}-{}/{}", end - 1, object.len()))];
        (StatusCode::PARTIAL_CONTENT, about, said, object.slice(from..end)).into_response()
    }

    fn list(&self, query: &HashMap<String, String>) -> Response {
        let after = query.get("continuation-token").cloned().unwrap_or_default();
        let prefix = query.get("prefix").cloned().unwrap_or_default();
        let mut found = self.objects.iter().filter(|(k, _)| k.starts_with(&prefix) && **k > after);
        let page: Vec<_> = found.by_ref().take(PAGE).collect();
        let more = found.next().is_some();
        let mut text = format!("<ListBucketResult><IsTruncated>{more}</IsTruncated>");
        for (key, object) in &page {
            text += &format!(
                "<Contents><Key>{key}</Key><Size>{}</Size><ETag>\"x\"</ETag>\
                 <LastModified>2026-11-21T00:00:00.000Z</LastModified></Contents>",
                object.len()
            );
        }
        if let (true, Some((last, _))) = (more, page.last()) {
            text += &format!("<NextContinuationToken>{last}</NextContinuationToken>");
        }
        xml(&(text + "</ListBucketResult>"))
    }

    fn delete(&mut self, body: &Bytes) -> Response {
        let body = String::from_utf8_lossy(body).into_owned();
        let key = body.split_once("<Key>").unwrap().1.split_once("</Key>").unwrap().0;
        self.objects.remove(key);
        xml(&format!("<DeleteResult><Deleted><Key>{key}</Key></Deleted></DeleteResult>"))
    }
}

fn xml(text: &str) -> Response {
    ([("content-type", "application/xml")], text.to_owned()).into_response()
}

fn refuse(status: StatusCode, code: &str) -> Response {
    let text = format!("<Error><Code>{code}</Code><Message>as the test says</Message></Error>");
    (status, text).into_response()
}
