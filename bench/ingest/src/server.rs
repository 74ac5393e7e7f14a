//! The server under test, in a scratch folder.

use crate::Failure;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Key of the project under load.
pub const WRITE_KEY: &str = "wk_bench_0123456789abcdef";
const SECRET_KEY: &str = "sk_bench_0123456789abcdef";

/// A running server.
pub struct Server {
    child: Child,
    folder: tempfile::TempDir,
    address: String,
    http: reqwest::Client,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub async fn start(binary: &str) -> Result<Server, Failure> {
        let folder = tempfile::tempdir()?;
        let address = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            listener.local_addr()?.to_string()
        };
        let child = Command::new(binary)
            .arg("serve")
            .arg("--data")
            .arg(folder.path().join("data"))
            .arg("--listen")
            .arg(&address)
            .env("TALLYMARK_BOOTSTRAP_PROJECT", "bench")
            .env("TALLYMARK_BOOTSTRAP_WRITE_KEY", WRITE_KEY)
            .env("TALLYMARK_BOOTSTRAP_SECRET_KEY", SECRET_KEY)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let server = Server { child, folder, address, http: reqwest::Client::new() };
        for _ in 0..300 {
            if server.accounted().await.is_ok() {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err("the server did not become ready".into())
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Events with an outcome so far.
    pub async fn accounted(&self) -> Result<u64, Failure> {
        let identity = self.identity().await?;
        Ok(identity["visible"].as_u64().ok_or("no ledger")? + identity["duplicate"].as_u64().unwrap_or(0))
    }

    /// Waits until nothing is pending; answers the events accounted for.
    pub async fn drained(&self) -> Result<u64, Failure> {
        loop {
            if self.identity().await?["pending"] == 0 {
                return self.accounted().await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// CPU-seconds of the processor so far.
    pub fn process_cpu(&self) -> f64 {
        self.cpu_of("process")
    }

    /// CPU-seconds of one process so far (clock ticks of 10 ms).
    pub fn cpu_of(&self, role: &str) -> f64 {
        let pid = || -> Option<u64> {
            let text = std::fs::read_to_string(self.data().join("run/components.json")).ok()?;
            serde_json::from_str::<serde_json::Value>(&text).ok()?[role]["pid"].as_u64()
        };
        let stat =
            pid().and_then(|p| std::fs::read_to_string(format!("/proc/{p}/stat")).ok()).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Bytes in the object store.
    pub fn object_bytes(&self) -> u64 {
        size(&self.data().join("objects"))
    }

    /// Stops it.
    pub async fn stop(&mut self) {
        // The folder is thrown away: nothing to drain.
        let _ = self.child.kill().await;
    }

    async fn identity(&self) -> Result<serde_json::Value, Failure> {
        let url = format!("http://{}/api/v1/projects/bench/ledger", self.address);
        let answer = self.http.get(url).bearer_auth(SECRET_KEY).send().await?.error_for_status()?;
        Ok(answer.json::<serde_json::Value>().await?["identity"].take())
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }
}

fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|e| match e.metadata() {
            Ok(m) if m.is_dir() => size(&e.path()),
            Ok(m) => m.len(),
            Err(_) => 0,
        })
        .sum()
}
