//! Commands of the binary, as an operator gives them, aimed at one scratch instance.

use super::{Instance, clean_environment};
use crate::error::{DrillError, Result};
use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A finished command.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its arguments.
    pub command: String,
    /// Exit code; -1 = killed.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// How long it took.
    pub seconds: f64,
}

impl Finished {
    /// The command, if it ended with 0.
    pub fn ok(self) -> Result<Finished> {
        if self.code == 0 {
            return Ok(self);
        }
        let output = format!("{}{}", self.out, self.err);
        if output.contains("unrecognized subcommand") || output.contains("unexpected argument") {
            return Err(DrillError::Missing(format!("`tallymark {}`", self.command)));
        }
        Err(DrillError::Command { command: self.command, code: self.code, output })
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).map_err(|e| DrillError::Answer {
            what: self.command.clone(),
            answer: format!("{e}: {}", self.out),
        })
    }
}

impl Instance {
    /// Runs `tallymark ARGUMENTS` with this instance's data folder in the environment.
    pub async fn command(&self, arguments: &[&str]) -> Result<Finished> {
        self.start_command(arguments)?.finish().await
    }

    /// Starts `tallymark ARGUMENTS` and leaves it running.
    pub fn start_command(&self, arguments: &[&str]) -> Result<Running> {
        let mut command = Command::new(&self.binary);
        clean_environment(&mut command);
        let child = command
            .args(arguments)
            .env("TALLYMARK_DATA", self.data())
            .envs(self.environment.iter().map(|(n, v)| (n, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(DrillError::io(format!("starting {}", self.binary.display())))?;
        Ok(Running { command: arguments.join(" "), child, began: Instant::now() })
    }
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    command: String,
    child: tokio::process::Child,
    began: Instant,
}

impl Running {
    /// Waits for its end.
    pub async fn finish(self) -> Result<Finished> {
        let Running { command, child, began } = self;
        let waited = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        let output = waited
            .map_err(|_| DrillError::TimedOut {
                what: format!("tallymark {command}"),
                seconds: LIMIT.as_secs_f64(),
            })?
            .map_err(DrillError::io(command.clone()))?;
        Ok(Finished {
            command,
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }
}
