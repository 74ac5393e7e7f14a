//! A plain HTTP/1.1 load: every connection sends its next batch when the last one is acknowledged.

use crate::Failure;
use crate::protocol::Protocol;
use crate::server::{Server, WRITE_KEY};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What one step measured.
pub struct Figures {
    /// Acknowledged requests per second.
    pub requests_per_s: f64,
    /// Median time to the acknowledgement.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
}

/// Runs `connections` clients for `time`.
pub async fn run(
    server: &Server,
    protocol: Protocol,
    batch: usize,
    connections: usize,
    time: Duration,
) -> Result<Figures, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(client(server.address().to_owned(), protocol, batch, stop.clone())))
        .collect();
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await??);
    }
    let wall = started.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |q: f64| {
        times.get(((times.len() as f64 - 1.0) * q) as usize).map_or(0.0, |us| f64::from(*us) / 1000.0)
    };
    Ok(Figures { requests_per_s: times.len() as f64 / wall, p50_ms: at(0.5), p99_ms: at(0.99) })
}

async fn client(
    address: String,
    protocol: Protocol,
    batch: usize,
    stop: Arc<AtomicBool>,
) -> Result<Vec<u32>, Failure> {
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let mut times = Vec::new();
    let mut answer = vec![0u8; 64 << 10];
    while !stop.load(Ordering::Relaxed) {
        let (target, body) = (protocol.target(), protocol.body(batch));
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {WRITE_KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let sent = Instant::now();
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
        let read = answer_length(&mut stream, &mut answer).await?;
        if !answer[..read].starts_with(b"HTTP/1.1 20") {
            return Err(String::from_utf8_lossy(&answer[..read.min(300)]).into_owned().into());
        }
        times.push(sent.elapsed().as_micros() as u32);
    }
    Ok(times)
}

/// Reads one answer with a content-length.
async fn answer_length(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<usize, Failure> {
    let mut have = 0;
    loop {
        let n = stream.read(&mut buffer[have..]).await?;
        if n == 0 {
            return Err("the server closed the connection".into());
        }
        have += n;
        let text = String::from_utf8_lossy(&buffer[..have]);
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text[..end]
                .lines()
                .find_map(|l| {
                    l.to_ascii_lowercase().strip_prefix("content-length:").map(|v| v.trim().parse::<usize>())
                })
                .transpose()?
                .unwrap_or(0);
            if have >= end + 4 + length {
                return Ok(have);
            }
        }
    }
}
