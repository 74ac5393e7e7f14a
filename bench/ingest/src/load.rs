//! A plain HTTP/1.1 load: every connection sends its next batch when the last one is acknowledged.

use crate::Failure;
use crate::server::{Server, WRITE_KEY};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Runs `connections` clients for `time`.
pub async fn run(
    server: &Server,
    batch: usize,
    connections: usize,
    time: Duration,
) -> Result<Figures, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(client(server.address().to_owned(), batch, stop.clone())))
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

async fn client(address: String, batch: usize, stop: Arc<AtomicBool>) -> Result<Vec<u32>, Failure> {
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let mut times = Vec::new();
    let mut answer = vec![0u8; 64 << 10];
    while !stop.load(Ordering::Relaxed) {
        let body = body(batch);
        let head = format!(
            "POST /api/v1/events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {WRITE_KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let sent = Instant::now();
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
        let read = answer_length(&mut stream, &mut answer).await?;
        if !answer[..read].starts_with(b"HTTP/1.1 200") {
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

/// About 450 bytes an event, like what an SDK sends.
fn body(batch: usize) -> String {
    let mut body = String::from("{\"events\":[");
    for i in 0..batch {
        let n = SERIAL.fetch_add(1, Ordering::Relaxed);
        let user = n.wrapping_mul(0x9e37_79b9) % 50_000;
        if i > 0 {
            body.push(',');
        }
        body.push_str(&format!(
            r#"{{"event":"view_item","user_id":"user-{user:06}","device_id":"device-{user:06}","insert_id":"3f0c9b1a-{n:012x}","session_id":"{}","properties":{{"platform":"ios","country":"DE","city":"city_{:04}","app_version":"5.{}.0","referrer":"https://ref{:03}.example.net/","page_url":"https://shop.example.com/c/{}/item-{}","variant":"control","duration_ms":{},"amount":{}.5,"is_member":true}}}}"#,
            n / 8,
            user % 2000,
            n % 10,
            n % 500,
            n % 97,
            n % 100_003,
            n % 4000,
            n % 90
        ));
    }
    body.push_str("]}");
    body
}
