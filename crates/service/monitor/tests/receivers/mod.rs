//! Real receivers on loopback: an HTTP server and a small mail server, both of which record what they get and
//! answer as they are told.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How a receiver answers one request.
#[derive(Debug, Clone)]
pub enum Reply {
    Status(u16),
    Redirect(String),
    /// Never answers.
    Hang,
}

#[derive(Debug, Clone)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

#[derive(Debug, Clone, Default)]
struct Shared {
    received: Arc<Mutex<Vec<Received>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
}

/// An HTTP receiver. Answers 200 unless told otherwise.
#[derive(Debug, Clone)]
pub struct Http {
    pub address: SocketAddr,
    shared: Shared,
}

impl Http {
    pub async fn start() -> Http {
        let shared = Shared::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Http { address, shared }
    }
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }
    /// The next answers.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.replies.lock().unwrap().extend(replies);
    }
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }
    /// Types of everything received, for webhooks.
    pub fn types(&self) -> Vec<String> {
        self.received().iter().map(|r| r.json()["type"].as_str().unwrap().to_owned()).collect()
    }
}

async fn answer(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let reply = shared.replies.lock().unwrap().pop_front().unwrap_or(Reply::Status(200));
    shared.received.lock().unwrap().push(Received { headers, body });
    match reply {
        Reply::Status(code) => StatusCode::from_u16(code).unwrap().into_response(),
        Reply::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response(),
        Reply::Hang => std::future::pending().await,
    }
}

/// A port on loopback that counts who connects.
#[derive(Debug, Clone)]
pub struct Trap {
    pub address: SocketAddr,
    connections: Arc<Mutex<usize>>,
}

impl Trap {
    pub async fn start() -> Trap {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(0));
        let counter = connections.clone();
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                *counter.lock().unwrap() += 1;
            }
        });
        Trap { address, connections }
    }
    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

/// A mail server without encryption, as a relay on the same machine is.
#[derive(Debug, Clone)]
pub struct Smtp {
    pub address: SocketAddr,
    mails: Arc<Mutex<Vec<String>>>,
    refusals: Arc<Mutex<usize>>,
}

impl Smtp {
    pub async fn start() -> Smtp {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Smtp { address, mails: Arc::default(), refusals: Arc::default() };
        let shared = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                tokio::spawn(async move { shared.talk(stream).await });
            }
        });
        server
    }
    /// Refuses the next so many mails, for now.
    pub fn refuse(&self, count: usize) {
        *self.refusals.lock().unwrap() = count;
    }
    pub fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }

    async fn talk(&self, stream: TcpStream) -> Option<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 test\r\n").await.ok()?;
        while let Some(line) = lines.next_line().await.ok()? {
            let command = line.to_ascii_uppercase();
            let answer: &[u8] = match command.split(' ').next()? {
                "EHLO" => b"250-test\r\n250 8BITMIME\r\n",
                "MAIL" if self.refuses() => b"451 not now\r\n",
                "DATA" => {
                    write.write_all(b"354 go on\r\n").await.ok()?;
                    let mut mail = String::new();
                    while let Some(line) = lines.next_line().await.ok()?.filter(|l| l != ".") {
                        mail.push_str(&line);
                        mail.push('\n');
                    }
                    self.mails.lock().unwrap().push(mail);
                    b"250 taken\r\n"
                }
                "QUIT" => b"221 bye\r\n",
                _ => b"250 fine\r\n",
            };
            write.write_all(answer).await.ok()?;
        }
        Some(())
    }

    fn refuses(&self) -> bool {
        let mut left = self.refusals.lock().unwrap();
        let refuses = *left > 0;
        *left = left.saturating_sub(1);
        refuses
    }
}
