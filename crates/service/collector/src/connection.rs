//! One connection: HTTP/1.1 or HTTP/2 with prior knowledge, slow heads cut off, and a quiet end on drain.
//!
//! On drain an HTTP/1.1 client gets `Connection: close` with its next answer and HTTP/2 a GOAWAY; an idle
//! connection is left alone until the drain is over, because some SDKs lose the batch that they send into a
//! connection just being closed.

use crate::config::CollectorConfig;
use crate::route::Peer;
use axum::Router;
use axum::body::Body;
use http::header::{self, HeaderValue};
use http::{Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How often a connection is checked for a head that does not come to its end.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Time for the last bytes after a drain is over.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// The two stages of stopping.
#[derive(Clone)]
pub(crate) struct Stop {
    /// Finish what is in work.
    pub drain: CancellationToken,
    /// Close.
    pub close: CancellationToken,
}

/// Serves one connection until it ends.
pub(crate) async fn run(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    config: &CollectorConfig,
    stop: Stop,
) {
    let watch = Arc::new(Watch::new());
    let service = {
        let (watch, drain) = (Arc::clone(&watch), stop.drain.clone());
        service_fn(move |request: Request<Incoming>| {
            let (router, drain, busy) = (router.clone(), drain.clone(), Watch::enter(&watch));
            let version = request.version();
            watch.is_h2.store(version == Version::HTTP_2, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer.ip()));
            async move {
                let mut response = router.oneshot(request).await?;
                if version < Version::HTTP_2 && drain.is_cancelled() {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                drop(busy);
                Ok::<_, std::convert::Infallible>(response)
            }
        })
    };
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(config.idle_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(250)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    let io = TokioIo::new(Watched { stream, watch: Arc::clone(&watch) });
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut check = tokio::time::interval(CHECK_EVERY);
    let mut told = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::trace!(%error, "connection ended");
                }
                return;
            }
            () = stop.drain.cancelled(), if !told && watch.is_h2.load(Ordering::Relaxed) => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            () = stop.close.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(LAST_BYTES, connection).await;
                return;
            }
            _ = check.tick() => {
                if watch.head_overdue(config.head_timeout) {
                    tracing::debug!(%peer, "request head did not arrive in time");
                    return;
                }
            }
        }
    }
}

/// Sees when bytes arrive that no request has come of yet.
struct Watch {
    started: Instant,
    requests: AtomicUsize,
    /// When the first byte of the next head arrived, ms after `started`; -1 = none did.
    head_since_ms: AtomicI64,
    is_h2: AtomicBool,
}

impl Watch {
    fn new() -> Watch {
        Watch {
            started: Instant::now(),
            requests: AtomicUsize::new(0),
            // The first head is awaited from the start.
            head_since_ms: AtomicI64::new(0),
            is_h2: AtomicBool::new(false),
        }
    }

    /// A request came of the bytes; it is in work until the guard is dropped.
    fn enter(watch: &Arc<Watch>) -> Busy {
        watch.requests.fetch_add(1, Ordering::Relaxed);
        watch.head_since_ms.store(-1, Ordering::Relaxed);
        Busy(Arc::clone(watch))
    }

    fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn bytes_arrived(&self) {
        if self.requests.load(Ordering::Relaxed) == 0 {
            let _ = self.head_since_ms.compare_exchange(
                -1,
                self.elapsed_ms(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }

    fn head_overdue(&self, timeout: Duration) -> bool {
        let since = self.head_since_ms.load(Ordering::Relaxed);
        let timeout = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        // HTTP/2 has pings of its own between requests.
        since >= 0
            && !self.is_h2.load(Ordering::Relaxed)
            && self.requests.load(Ordering::Relaxed) == 0
            && self.elapsed_ms() - since > timeout
    }
}

struct Busy(Arc<Watch>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Watched {
    stream: TcpStream,
    watch: Arc<Watch>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.watch.bytes_arrived();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
