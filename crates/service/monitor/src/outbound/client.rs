//! One POST to a checked address.
//!
//! Guarantees: as in `outbound`; the whole exchange ends within the timeout; at most [`ANSWER_MAX`] bytes of the
//! answer are read.
//! Deliberately not here: retries, keeping connections.

use super::{AllowList, Url, tls};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

/// No more of an answer is read.
pub const ANSWER_MAX: usize = 64 * 1024;

/// Why something did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It would go where nothing may go.
    #[error("refused: {0}")]
    Refused(String),
    /// Nobody answered at the address.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// The answer took too long.
    #[error("no answer within the time limit")]
    Timeout,
    /// The receiver answered, but not with success.
    #[error("answered {0}")]
    Status(u16),
    /// The receiver sent us elsewhere; we do not go there.
    #[error("answered with a redirect ({0}), which is not followed; set the final address")]
    Redirect(u16),
    /// A mail server refused.
    #[error("mail server: {0}")]
    Mail(String),
}

impl SendError {
    /// True if trying again makes no sense: the receiver says that it is gone for good.
    pub fn is_final(&self) -> bool {
        matches!(self, SendError::Status(410))
    }
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code, 200 to 299.
    pub status: u16,
    /// The beginning of the body.
    pub body: Bytes,
}

/// Turns a name into addresses.
#[async_trait]
pub trait Resolve: Send + Sync + std::fmt::Debug {
    /// All addresses of a name.
    async fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>>;
}

#[derive(Debug)]
struct System;

#[async_trait]
impl Resolve for System {
    async fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    allow: AllowList,
    timeout: Duration,
    resolver: Arc<dyn Resolve>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Outbound {
    /// A client that may also reach the listed networks.
    pub fn new(allow: AllowList, timeout: Duration) -> Outbound {
        Outbound { allow, timeout, resolver: Arc::new(System) }
    }

    /// The same with another way of resolving names.
    pub fn with_resolver(self, resolver: Arc<dyn Resolve>) -> Outbound {
        Outbound { resolver, ..self }
    }

    /// How long an exchange may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether an address may be reached as of now: for the moment in which it is saved.
    pub async fn check(&self, url: &str) -> Result<(), SendError> {
        let url = Url::parse(url).map_err(SendError::Refused)?;
        self.addresses(&url.host, url.port).await.map(|_| ())
    }

    /// Sends one request and reads the answer.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Bytes) -> Result<Answer, SendError> {
        let url = Url::parse(url).map_err(SendError::Refused)?;
        tokio::time::timeout(self.timeout, self.exchange(&url, headers, body))
            .await
            .map_err(|_| SendError::Timeout)?
    }

    /// The addresses of a name, every one of them checked.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, SendError> {
        let found = self.resolver.resolve(host, port).await;
        let found = found.map_err(|e| SendError::Unreachable(format!("{host}: {e}")))?;
        // One bad address among good ones is no accident: refuse the name, not the address.
        if let Some(bad) = found.iter().find(|a| !self.allow.permits(a.ip())) {
            return Err(SendError::Refused(format!(
                "{host} is at {}, which is not public and not in alerts.allow_networks",
                bad.ip()
            )));
        }
        if found.is_empty() {
            return Err(SendError::Unreachable(format!("{host} has no address")));
        }
        Ok(found)
    }

    async fn exchange(&self, url: &Url, headers: HeaderMap, body: Bytes) -> Result<Answer, SendError> {
        let unreachable = |e: &dyn std::fmt::Display| SendError::Unreachable(format!("{}: {e}", url.host));
        let stream = self.connect(url).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| unreachable(&e))?;
        let driver = tokio::spawn(connection);
        let mut request = Request::post(url.path.as_str())
            .header(http::header::HOST, url.host_header())
            .header(http::header::USER_AGENT, "tallymark-alerts")
            .body(Full::new(body))
            .map_err(|e| SendError::Refused(e.to_string()))?;
        request.headers_mut().extend(headers);
        let answer = sender.send_request(request).await.map_err(|e| unreachable(&e));
        let answer = match answer {
            Ok(answer) => {
                let status = answer.status().as_u16();
                match status {
                    200..=299 => {
                        // The status is the answer; a body that is too long or breaks off does not change it.
                        let read = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
                        Ok(Answer { status, body: read.map(|b| b.to_bytes()).unwrap_or_default() })
                    }
                    300..=399 => Err(SendError::Redirect(status)),
                    _ => Err(SendError::Status(status)),
                }
            }
            Err(error) => Err(error),
        };
        driver.abort();
        answer
    }

    async fn connect(&self, url: &Url) -> Result<Box<dyn Stream>, SendError> {
        let unreachable = |e: String| SendError::Unreachable(format!("{}: {e}", url.host));
        let mut last = String::new();
        for address in self.addresses(&url.host, url.port).await? {
            match TcpStream::connect(address).await {
                Ok(stream) if url.tls => {
                    let name =
                        ServerName::try_from(url.host.clone()).map_err(|e| unreachable(e.to_string()))?;
                    let connector = tls::connector().map_err(unreachable)?;
                    let stream =
                        connector.connect(name, stream).await.map_err(|e| unreachable(e.to_string()))?;
                    return Ok(Box::new(stream));
                }
                Ok(stream) => return Ok(Box::new(stream)),
                Err(error) => last = error.to_string(),
            }
        }
        Err(unreachable(last))
    }
}
