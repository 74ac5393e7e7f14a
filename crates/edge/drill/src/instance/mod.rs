//! A scratch instance: the real binary in a folder of its own, on a loopback port, in a process group of its own.
//!
//! Guarantees: no variable that steers another instance is inherited; when the value is dropped, every process
//! of its group is killed.

mod client;
mod command;
mod operations;
mod signal;

pub use command::Running;
pub use operations::{ENVIRONMENT, until};
pub use signal::Signal;

use crate::error::{DrillError, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// Project of every scratch instance.
pub const PROJECT: &str = "shop";
/// Its write key.
pub const WRITE_KEY: &str = "wk_drill_0123456789abcdef";
const SECRET_KEY: &str = "sk_drill_0123456789abcdef";
/// The admin key.
pub const ADMIN_KEY: &str = "ak_drill_0123456789abcdef";

/// How long a start may take.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long an orderly stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(25);
const POLL: Duration = Duration::from_millis(50);

/// One scratch instance.
#[derive(Debug)]
pub struct Instance {
    name: String,
    folder: PathBuf,
    data: PathBuf,
    binary: PathBuf,
    port: u16,
    environment: Vec<(String, String)>,
    supervisor: Option<Child>,
    /// Roles started one by one, without a supervisor.
    alone: Vec<(String, Child)>,
    /// Process groups that may still hold processes of ours.
    groups: Vec<u32>,
    http: reqwest::Client,
}

impl Instance {
    /// A place for an instance; nothing runs yet.
    pub fn new(name: &str, folder: &Path, binary: &Path) -> Result<Instance> {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).map_err(DrillError::io(folder.display().to_string()))?;
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()
            .map_err(|e| DrillError::NoAnswer { instance: name.to_owned(), why: e.to_string() })?;
        Ok(Instance {
            name: name.to_owned(),
            data: folder.join("data"),
            folder,
            binary: binary.to_owned(),
            port: free_port()?,
            environment: Vec::new(),
            supervisor: None,
            alone: Vec::new(),
            groups: Vec::new(),
            http,
        })
    }

    /// Sets a variable for the next start.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.unset(name);
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Takes a variable away for the next start.
    pub fn unset(&mut self, name: &str) {
        self.environment.retain(|(n, _)| n != name);
    }

    /// Uses another data folder, such as a restored one.
    pub fn use_data(&mut self, data: &Path) {
        self.data = data.to_owned();
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it is called in the timeline.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts everything and waits until it collects and answers.
    pub async fn start(&mut self) -> Result<f64> {
        let began = Instant::now();
        self.launch()?;
        self.wait_ready(START_LIMIT).await?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Starts everything and returns at once.
    pub fn launch(&mut self) -> Result<()> {
        let mut arguments = vec!["serve".to_owned()];
        arguments.extend(self.common_arguments());
        self.supervisor = Some(self.spawn(&arguments, Stdio::null())?);
        Ok(())
    }

    /// Starts one role alone, without supervisor; it runs until the instance is stopped or killed.
    pub fn start_role(&mut self, role: &str) -> Result<()> {
        let mut arguments = vec!["role".to_owned(), role.to_owned()];
        arguments.extend(self.common_arguments());
        // A role ends when its standard input closes: ours stays open as long as the value lives.
        let child = self.spawn(&arguments, Stdio::piped())?;
        self.alone.push((role.to_owned(), child));
        Ok(())
    }

    fn common_arguments(&self) -> [String; 4] {
        let data = self.data.display().to_string();
        ["--data".to_owned(), data, "--listen".to_owned(), format!("127.0.0.1:{}", self.port)]
    }

    fn spawn(&mut self, arguments: &[String], stdin: Stdio) -> Result<Child> {
        let path = self.log_path();
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(DrillError::io(path.display().to_string()))?;
        let errors = log.try_clone().map_err(DrillError::io("log of the instance"))?;
        let mut command = Command::new(&self.binary);
        clean_environment(&mut command);
        command
            .args(arguments)
            .env("TALLYMARK_BOOTSTRAP_PROJECT", PROJECT)
            .env("TALLYMARK_BOOTSTRAP_WRITE_KEY", WRITE_KEY)
            .env("TALLYMARK_BOOTSTRAP_SECRET_KEY", SECRET_KEY)
            .env("TALLYMARK_BOOTSTRAP_ADMIN_KEY", ADMIN_KEY)
            .envs(self.environment.iter().map(|(n, v)| (n, v)))
            .stdin(stdin)
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn().map_err(DrillError::io(format!("starting {}", self.binary.display())))?;
        self.groups.extend(child.id());
        Ok(child)
    }

    /// Waits until the port collects and the web process answers.
    pub async fn wait_ready(&mut self, limit: Duration) -> Result<()> {
        let began = Instant::now();
        let mut last = String::new();
        while began.elapsed() < limit {
            if let Some(end) = self.ended() {
                return Err(self.silent(format!("it ended with {end}")));
            }
            match self.ready().await {
                Ok(()) => return Ok(()),
                Err(why) => last = why.to_string(),
            }
            tokio::time::sleep(POLL).await;
        }
        Err(self.silent(last))
    }

    async fn ready(&self) -> Result<()> {
        self.get("/health/ready").await?.ok()?;
        self.get(&format!("/api/v1/projects/{PROJECT}")).await?.ok()?;
        Ok(())
    }

    /// Waits until requests can be appended; nothing else is asked.
    pub async fn wait_collecting(&mut self, limit: Duration) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < limit {
            if self.get("/health/ready").await.is_ok_and(|a| a.status == 200) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(self.silent("the collector is not ready".to_owned()))
    }

    fn ended(&mut self) -> Option<String> {
        let end = self.supervisor.as_mut()?.try_wait().ok()??;
        Some(end.to_string())
    }

    /// Stops in good order: everything accepted is finished.
    pub async fn stop(&mut self) {
        for (_, child) in &self.alone {
            child.id().map(|pid| signal::send(pid, Signal::Term));
        }
        if let Some(pid) = self.supervisor.as_ref().and_then(Child::id) {
            // A frozen child cannot finish.
            for role in self.roles() {
                signal::send(role.1, Signal::Cont);
            }
            signal::send(pid, Signal::Term);
        }
        let children = self.alone.iter_mut().map(|(_, c)| c).chain(self.supervisor.as_mut());
        for child in children {
            let _ = tokio::time::timeout(STOP_LIMIT, child.wait()).await;
        }
        self.end_all();
    }

    /// Kills every process of the instance at once, as a power cut would.
    pub async fn kill_all(&mut self) {
        for group in &self.groups {
            signal::send_group(*group, Signal::Kill);
        }
        for child in self.alone.iter_mut().map(|(_, c)| c).chain(self.supervisor.as_mut()) {
            let _ = child.wait().await;
        }
        for group in self.groups.drain(..) {
            wait_for_group(group).await;
        }
        self.alone.clear();
        self.supervisor = None;
    }

    /// Kills the supervisor alone.
    pub async fn kill_supervisor(&mut self) {
        if let Some(mut child) = self.supervisor.take() {
            let _ = child.kill().await;
        }
    }

    /// Process ids of the roles, as the supervisor notes them.
    pub fn roles(&self) -> Vec<(String, u32)> {
        let states = self.components();
        let running = states.as_object().into_iter().flatten();
        running
            .filter_map(|(name, s)| Some((name.clone(), u32::try_from(s["pid"].as_u64()?).ok()?)))
            .collect()
    }

    /// How often the supervisor has started a role since it runs.
    pub fn starts(&self, role: &str) -> usize {
        self.components()[role]["starts"].as_u64().unwrap_or(0) as usize
    }

    fn components(&self) -> Value {
        let text = std::fs::read_to_string(self.data.join("run/components.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Process id of one role.
    pub fn pid(&self, role: &str) -> Option<u32> {
        let alone = self.alone.iter().find(|(name, _)| name == role).and_then(|(_, c)| c.id());
        alone.or_else(|| self.roles().into_iter().find(|(name, _)| name == role).map(|(_, pid)| pid))
    }

    /// Signals one role; false if it does not run.
    pub fn signal(&self, role: &str, what: Signal) -> bool {
        self.pid(role).is_some_and(|pid| signal::send(pid, what))
    }

    /// Freezes a role, but not while it holds the catalog's write lock: a frozen lock would stop every other process
    /// too, which is another drill's fault.
    pub async fn freeze(&self, role: &str) {
        let Some(pid) = self.pid(role) else { return };
        for _ in 0..200 {
            signal::send(pid, Signal::Stop);
            if !holds_write_lock(pid) {
                return;
            }
            signal::send(pid, Signal::Cont);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Open file descriptors of a role.
    pub fn descriptors(&self, role: &str) -> Option<usize> {
        let pid = self.pid(role)?;
        Some(std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
    }

    /// The last lines that the instance printed.
    pub fn tail(&self) -> String {
        let bytes = std::fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(1500)..]);
        text.into_owned()
    }

    fn silent(&self, why: String) -> DrillError {
        DrillError::NoAnswer { instance: self.name.clone(), why: format!("{why}\n{}", self.tail()) }
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    fn end_all(&mut self) {
        for group in self.groups.drain(..) {
            signal::send_group(group, Signal::Kill);
        }
        self.alone.clear();
        self.supervisor = None;
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.end_all();
    }
}

/// Waits until the kernel has buried a killed group: its locks are free only then.
async fn wait_for_group(group: u32) {
    for _ in 0..100 {
        if !signal::send_group(group, Signal::Cont) {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// SQLite locks byte 120 of its `-shm` file while it writes.
fn holds_write_lock(pid: u32) -> bool {
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let pid = pid.to_string();
    locks.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(3) == Some(&"WRITE")
            && fields.get(4) == Some(&pid.as_str())
            && fields.get(6) == Some(&"120")
    })
}

/// What steers one instance must not leak into another.
fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TALLYMARK_") {
            command.env_remove(name);
        }
    }
}

fn free_port() -> Result<u16> {
    let listener =
        std::net::TcpListener::bind("127.0.0.1:0").map_err(DrillError::io("finding a free port"))?;
    Ok(listener.local_addr().map_err(DrillError::io("finding a free port"))?.port())
}
