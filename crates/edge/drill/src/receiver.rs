//! A receiver of webhooks on loopback: notes what arrives and when.
//!
//! Deliberately not here: checking signatures (a test of the monitor crate does).

use crate::error::{DrillError, Result};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Longest request that is read.
const BYTES_MAX: usize = 1 << 20;

/// What arrived: when, at which path, with which body.
pub type Arrivals = Arc<Mutex<Vec<(Instant, String, String)>>>;

/// A receiver; ends when dropped.
#[derive(Debug)]
pub struct Receiver {
    address: String,
    arrivals: Arrivals,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Listens on a free port of loopback.
    pub async fn start() -> Result<Receiver> {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.map_err(DrillError::io("a receiver of webhooks"))?;
        let address = listener.local_addr().map_err(DrillError::io("a receiver of webhooks"))?.to_string();
        let arrivals = Arrivals::default();
        let task = tokio::spawn(serve(listener, Arc::clone(&arrivals)));
        Ok(Receiver { address, arrivals, task })
    }

    /// Its URL with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// When the n-th message arrived at a path, counted from 0.
    pub fn nth(&self, path: &str, n: usize) -> Option<(Instant, String)> {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.iter().filter(|a| a.1 == path).nth(n).map(|a| (a.0, a.2.clone()))
    }

    /// How much arrived at a path.
    pub fn count(&self, path: &str) -> usize {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.iter().filter(|a| a.1 == path).count()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, arrivals: Arrivals) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let arrivals = Arc::clone(&arrivals);
        tokio::spawn(async move {
            let mut bytes = Vec::new();
            let mut buffer = [0u8; 8192];
            while bytes.len() < BYTES_MAX {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(n) => bytes.extend_from_slice(&buffer[..n]),
                }
                if let Some((path, body)) = whole_request(&bytes) {
                    let mut all = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
                    all.push((Instant::now(), path, body));
                    break;
                }
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
        });
    }
}

/// Path and body, once the request is complete.
fn whole_request(bytes: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length: usize = head
        .lines()
        .find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned))
        .and_then(|v| v.trim().parse().ok())
        .unwrap_or(0);
    let path = head.split_whitespace().nth(1)?.to_owned();
    (body.len() >= length).then(|| (path, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_when_its_body_is() {
        let request = "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nab";
        assert_eq!(whole_request(request.as_bytes()), None);
        let whole = format!("{request}c");
        assert_eq!(whole_request(whole.as_bytes()), Some(("/a".to_owned(), "abc".to_owned())));
    }
}
