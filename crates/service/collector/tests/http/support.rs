//! A running collector, and small clients.

use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tallymark_collector::{Collector, CollectorConfig, serve_collector};
use tallymark_log::memory::MemoryLog;
use tallymark_log::{Item, LogReader, ReadLimit};
use tallymark_model::{Control, Envelope, Event, Lane, Position, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub const KEY: &str = "project-write-key-0001";
pub const NATIVE: &str = r#"{"api_key":"project-write-key-0001","events":[{"event":"a","user_id":"u1"}]}"#;

pub struct Running {
    pub address: SocketAddr,
    pub log: MemoryLog,
    pub stop: CancellationToken,
    pub task: tokio::task::JoinHandle<std::io::Result<()>>,
    pub http: reqwest::Client,
}

pub fn config() -> CollectorConfig {
    CollectorConfig { drain_timeout: Duration::from_millis(300), ..CollectorConfig::default() }
}

pub async fn start(config: CollectorConfig) -> Running {
    start_with(config, |collector| collector).await
}

pub async fn start_with(config: CollectorConfig, change: impl FnOnce(Collector) -> Collector) -> Running {
    start_with_log(config, MemoryLog::new(4), change).await
}

pub async fn start_with_log(
    config: CollectorConfig,
    log: MemoryLog,
    change: impl FnOnce(Collector) -> Collector,
) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let collector = Arc::new(change(Collector::new(Arc::new(log.clone()), config)));
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve_collector(listener, collector, stop.clone()));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    Running { address, log, stop, task, http }
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(self.url(path))
    }

    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(self.url(path))
    }

    /// Every record, lane by lane.
    pub async fn records(&self) -> Vec<Record> {
        let mut out = Vec::new();
        for lane in Lane::ALL {
            for partition in 0..self.log.partitions_of_log() {
                let at = Position { lane, partition, offset: 0 };
                let limit = ReadLimit { records: usize::MAX, bytes: usize::MAX };
                for item in LogReader::read(&self.log, at, limit).await.unwrap() {
                    if let Item::Records(records) = item {
                        out.extend(records.into_iter().map(|(_, record)| record));
                    }
                }
            }
        }
        out
    }

    pub async fn envelopes(&self) -> Vec<Envelope> {
        let records = self.records().await.into_iter();
        records.filter_map(|r| if let Record::Event(e) = r { Some(e) } else { None }).collect()
    }

    pub async fn events(&self) -> Vec<Event> {
        self.envelopes().await.iter().map(|e| tallymark_wire::decode(e).unwrap()).collect()
    }

    pub async fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.events().await.into_iter().map(|e| e.name).collect();
        names.sort();
        names
    }

    pub async fn controls(&self) -> Vec<Control> {
        let records = self.records().await.into_iter();
        records
            .filter_map(|r| if let Record::Control { control, .. } = r { Some(control) } else { None })
            .collect()
    }

    pub async fn shut_down(self) -> MemoryLog {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.log
    }
}

trait Partitions {
    fn partitions_of_log(&self) -> u16;
}

impl Partitions for MemoryLog {
    fn partitions_of_log(&self) -> u16 {
        LogReader::partitions(self)
    }
}

pub async fn json(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {status} {text}")))
}

/// One HTTP/1.1 connection by hand.
pub struct Wire(pub TcpStream);

impl Wire {
    pub async fn connect(address: SocketAddr) -> Wire {
        Wire(TcpStream::connect(address).await.unwrap())
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    pub async fn send_post(&mut self, path: &str, body: &str) {
        let length = body.len();
        self.send(format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")).await;
    }

    /// One response with a declared length: head and body.
    pub async fn response(&mut self) -> (String, String) {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            let mut chunk = [0; 4096];
            let n = self.0.read(&mut chunk).await.unwrap();
            assert!(n > 0, "closed before a response: {}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&chunk[..n]);
        };
        let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap().to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let length: usize = length.map_or(0, |l| l.parse().unwrap());
        while bytes.len() < head_end + length {
            let mut chunk = [0; 4096];
            let n = self.0.read(&mut chunk).await.unwrap();
            assert!(n > 0);
            bytes.extend_from_slice(&chunk[..n]);
        }
        (head, String::from_utf8(bytes[head_end..].to_vec()).unwrap())
    }

    /// True once the server closes the connection without another byte.
    pub async fn closed(&mut self) -> bool {
        let mut chunk = [0; 16];
        matches!(self.0.read(&mut chunk).await, Ok(0) | Err(_))
    }
}
