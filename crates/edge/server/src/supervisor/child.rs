//! One child process: started, watched, started again.

use super::DRAIN;
use super::components::Components;
use crate::{Layout, Role};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How to start a child.
#[derive(Debug, Clone)]
pub struct Child {
    name: &'static str,
    binary: PathBuf,
    arguments: Vec<String>,
}

const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A child that ran this long starts again at once.
const STEADY: Duration = Duration::from_secs(10);

impl Child {
    /// A role of the server.
    pub fn role(role: Role, layout: &Layout, address: SocketAddr, partitions: u16) -> Child {
        let data = layout.root().display().to_string();
        let arguments = ["role", role.name(), "--data", &data, "--listen", &address.to_string()];
        let mut child = Child::new(role.name(), &arguments);
        child.arguments.extend(["--partitions".to_owned(), partitions.to_string()]);
        child
    }

    /// The generator of demo data.
    pub fn demo(events: u64, layout: &Layout) -> Child {
        let data = layout.root().display().to_string();
        Child::new(
            "demo",
            &["demo", "--events", &events.to_string(), "--live", "3", "--project", "demo", "--data", &data],
        )
    }

    fn new(name: &'static str, arguments: &[&str]) -> Child {
        // The running binary exists; if the path is gone (an upgrade), the name in PATH is the best guess left.
        let binary = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("tallymark"));
        Child { name, binary, arguments: arguments.iter().map(ToString::to_string).collect() }
    }

    /// Runs the child again and again until told to stop.
    pub fn keep_alive(self, components: Components, stop: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut backoff = BACKOFF_MIN;
            while !stop.is_cancelled() {
                let started = Instant::now();
                let end = self.run(&components, &stop).await;
                if stop.is_cancelled() {
                    break;
                }
                backoff =
                    if started.elapsed() > STEADY { BACKOFF_MIN } else { (backoff * 2).min(BACKOFF_MAX) };
                tracing::warn!(
                    role = self.name,
                    end,
                    retry_in_ms = backoff.as_millis() as u64,
                    "process ended"
                );
                components.down(self.name, &end);
                tokio::select! {
                    () = tokio::time::sleep(backoff) => {}
                    () = stop.cancelled() => {}
                }
            }
        })
    }

    /// Runs the child once.
    pub fn once(self, components: Components, stop: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(async move {
            let end = self.run(&components, &stop).await;
            components.down(self.name, &end);
        })
    }

    async fn run(&self, components: &Components, stop: &CancellationToken) -> String {
        let spawned = Command::new(&self.binary)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut process = match spawned {
            Ok(process) => process,
            Err(error) => return format!("cannot start: {error}"),
        };
        components.up(self.name, process.id().unwrap_or_default());
        let stdin = process.stdin.take();
        relay(self.name, process.stdout.take());
        relay(self.name, process.stderr.take());
        tokio::select! {
            end = process.wait() => return end.map_or_else(|e| e.to_string(), |s| s.to_string()),
            () = stop.cancelled() => {}
        }
        // Closing the standard input asks the child to finish what it has.
        drop(stdin);
        match tokio::time::timeout(DRAIN, process.wait()).await {
            Ok(end) => end.map_or_else(|e| e.to_string(), |s| s.to_string()),
            Err(_) => {
                let _ = process.kill().await;
                "killed: did not finish in time".to_owned()
            }
        }
    }
}

/// Puts the child's lines into the combined log.
fn relay(name: &'static str, stream: Option<impl AsyncRead + Unpin + Send + 'static>) {
    let Some(stream) = stream else { return };
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            eprintln!("{name:>8} | {line}");
        }
    });
}
