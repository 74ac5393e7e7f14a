//! What the supervisor knows of its children, as a small file the other processes read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// The children's states; cheap to clone.
#[derive(Debug, Clone)]
pub struct Components {
    path: PathBuf,
    states: Arc<Mutex<BTreeMap<&'static str, State>>>,
}

#[derive(Debug, Clone, serde::Serialize)]
struct State {
    state: &'static str,
    pid: Option<u32>,
    starts: u64,
    /// When it was started last, ms UTC.
    started_at: Option<i64>,
    last_end: Option<String>,
}

impl Components {
    /// Nothing runs yet.
    pub fn new(path: PathBuf) -> Components {
        Components { path, states: Arc::default() }
    }

    /// A child was started.
    pub fn up(&self, name: &'static str, pid: u32) {
        self.change(name, |s| {
            s.state = "up";
            s.pid = Some(pid);
            s.starts += 1;
            s.started_at = Some(jiff::Timestamp::now().as_millisecond());
        });
    }

    /// A child ended.
    pub fn down(&self, name: &'static str, end: &str) {
        self.change(name, |s| {
            s.state = "down";
            s.pid = None;
            s.last_end = Some(end.to_owned());
        });
    }

    fn change(&self, name: &'static str, change: impl FnOnce(&mut State)) {
        // A poisoned lock still holds valid states: each change is a plain assignment.
        let mut states = self.states.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        change(states.entry(name).or_insert(State {
            state: "down",
            pid: None,
            starts: 0,
            started_at: None,
            last_end: None,
        }));
        let text = serde_json::to_string_pretty(&*states).unwrap_or_default();
        if let Err(error) = crate::layout::write_private(&self.path, &text) {
            tracing::warn!(%error, "component states not written");
        }
    }
}
