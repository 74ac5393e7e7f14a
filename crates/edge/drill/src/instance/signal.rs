//! Signals to processes that a drill started, by id or by the process group that the drill made.
//!
//! Deliberately not here: any way to name a process by anything else.

use std::process::{Command, Stdio};

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ask to stop.
    Term,
    /// End at once.
    Kill,
    /// Freeze.
    Stop,
    /// Thaw.
    Cont,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Term => "TERM",
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Cont => "CONT",
        }
    }
}

/// Signals one process; false if it is gone. The shell's own `kill` is used: it is there wherever a shell is,
/// and this crate stays free of unsafe code.
pub fn send(pid: u32, signal: Signal) -> bool {
    kill(&format!("kill -{} {pid}", signal.name()))
}

/// Signals every process of a group; false if none is left.
pub fn send_group(leader: u32, signal: Signal) -> bool {
    kill(&format!("kill -{} -{leader}", signal.name()))
}

fn kill(command: &str) -> bool {
    Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}
