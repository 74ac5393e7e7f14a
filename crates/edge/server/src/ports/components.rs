//! Health of the processes, from the supervisor's notes.

use async_trait::async_trait;
use serde_json::Value;
use std::path::PathBuf;
use tallymark_api::{Component, ComponentStatus, Components};

/// Reads `run/components.json`.
pub struct SupervisedComponents {
    /// That file.
    pub path: PathBuf,
}

#[async_trait]
impl Components for SupervisedComponents {
    async fn components(&self) -> Vec<Component> {
        let text = tokio::fs::read_to_string(&self.path).await.unwrap_or_default();
        let found: Value = serde_json::from_str(&text).unwrap_or_default();
        let role = |name: &str| {
            let state = &found[name];
            let status = match state["state"].as_str() {
                Some("up") => ComponentStatus::Up,
                Some(_) => ComponentStatus::Down,
                None => ComponentStatus::Unknown,
            };
            let starts = state["starts"].as_u64().unwrap_or(0);
            let detail = match state["last_end"].as_str() {
                Some(end) if starts > 0 => format!("started {starts} times, last end: {end}"),
                _ => String::new(),
            };
            Component { name: name.to_owned(), status, detail }
        };
        ["collect", "process", "web"].into_iter().map(role).collect()
    }
}
