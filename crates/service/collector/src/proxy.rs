//! Passes requests to the web process over its Unix socket, bodies streamed both ways.
//!
//! Guarantees: hop-by-hop headers stay on their hop; the client's address arrives in `X-Forwarded-For`, which a
//! client cannot forge unless a proxy in front is trusted; a web process that is down is a clear 503, and
//! ingestion does not notice.

use crate::{forwarded, names, reply};
use axum::body::Body;
use axum::response::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const PROBE_BYTES_MAX: usize = 1 << 20;
/// Names the client to the web process, which trusts it because only this process reaches its socket.
const PEER: HeaderName = HeaderName::from_static("x-tallymark-peer");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The way to the web process.
#[derive(Clone)]
pub(crate) struct Proxy {
    client: Client<Socket, Body>,
    socket: Arc<Path>,
    trusted_hops: u8,
}

impl Proxy {
    pub fn new(socket: &Path, trusted_hops: u8) -> Proxy {
        let socket: Arc<Path> = Arc::from(socket);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(Socket { path: Arc::clone(&socket) });
        Proxy { client, socket, trusted_hops }
    }

    /// Passes one request on.
    pub async fn forward(&self, request: Request<Body>, peer: Option<IpAddr>) -> Response {
        let wants_page = accepts_html(request.headers());
        let Ok(request) = self.outgoing(request, peer) else {
            return reply::error(
                StatusCode::BAD_REQUEST,
                "TM0120",
                "the request's URL is not valid",
                "Check the URL.",
            );
        };
        match self.client.request(request).await {
            Ok(response) => {
                metrics::counter!(names::PROXIED, "status" => class(response.status())).increment(1);
                let mut response = response.map(Body::new);
                strip_hop_by_hop(response.headers_mut());
                response
            }
            Err(error) => {
                tracing::debug!(%error, "web process did not answer");
                metrics::counter!(names::PROXIED, "status" => "down").increment(1);
                down(wants_page)
            }
        }
    }

    /// True if somebody listens on the socket.
    pub async fn is_up(&self) -> bool {
        listens(&self.socket).await
    }

    /// The JSON at `path`, if the web process answers 200 in time.
    pub async fn get_json(&self, path: &str, authorization: Option<&str>) -> Option<serde_json::Value> {
        let mut request = Request::get(format!("http://web{path}")).header(header::HOST, "localhost");
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.body(Body::empty()).ok()?;
        let answer = async {
            let response = self.client.request(request).await.ok()?;
            if response.status() != StatusCode::OK {
                return None;
            }
            let body = Limited::new(response.into_body(), PROBE_BYTES_MAX).collect().await.ok()?;
            serde_json::from_slice(&body.to_bytes()).ok()
        };
        tokio::time::timeout(PROBE_TIMEOUT, answer).await.ok()?
    }

    fn outgoing(&self, request: Request<Body>, peer: Option<IpAddr>) -> Result<Request<Body>, http::Error> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
        let host = parts.headers.get(header::HOST).cloned().or_else(|| {
            // HTTP/2 names the host in the URI.
            parts.uri.authority().and_then(|a| HeaderValue::from_str(a.as_str()).ok())
        });
        parts.uri = Uri::builder().scheme("http").authority("web").path_and_query(path).build()?;
        parts.version = http::Version::HTTP_11;
        strip_hop_by_hop(&mut parts.headers);
        if let Some(host) = host {
            parts.headers.insert(header::HOST, host.clone());
            parts.headers.insert(FORWARDED_HOST, host);
        }
        let chain = forwarded::chain(&parts.headers, peer, self.trusted_hops);
        // Whoever the web process limits and logs.
        let client = forwarded::client(&parts.headers, peer, self.trusted_hops);
        parts.headers.remove(FORWARDED_FOR);
        parts.headers.remove(PEER);
        if let Some(client) = client.and_then(|ip| HeaderValue::from_str(&ip.to_string()).ok()) {
            parts.headers.insert(PEER, client);
        }
        if let Ok(chain) = HeaderValue::from_str(&chain)
            && !chain.is_empty()
        {
            parts.headers.insert(FORWARDED_FOR, chain);
        }
        if self.trusted_hops == 0 {
            parts.headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
        }
        Ok(Request::from_parts(parts, body))
    }
}

/// True if somebody listens on this socket.
pub(crate) async fn listens(socket: &Path) -> bool {
    matches!(tokio::time::timeout(CONNECT_TIMEOUT, UnixStream::connect(socket)).await, Ok(Ok(_)))
}

/// The answer while the web process is away.
pub(crate) fn down(wants_page: bool) -> Response {
    let mut response = if wants_page {
        let mut response = Response::new(Body::from(include_str!("down.html")));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        response
    } else {
        reply::error(
            StatusCode::SERVICE_UNAVAILABLE,
            "TM0121",
            "the web process is not running; events are still accepted",
            "It is restarted automatically: try again in a few seconds. See 'web' in /health/ready.",
        )
    };
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(crate) fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "1xx",
    }
}

/// Connects to the socket whatever the URI says.
#[derive(Clone)]
struct Socket {
    path: Arc<Path>,
}

impl tower::Service<Uri> for Socket {
    type Response = TokioIo<Stream>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path: PathBuf = self.path.to_path_buf();
        Box::pin(async move {
            let connect = tokio::time::timeout(CONNECT_TIMEOUT, UnixStream::connect(path));
            let stream = connect.await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
            Ok(TokioIo::new(Stream(stream)))
        })
    }
}

struct Stream(UnixStream);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
