//! The processes: what the supervisor says of them, and their signs of life.

use crate::{Layout, Role};
use serde::Deserialize;
use std::collections::{BTreeMap, VecDeque};
use tallymark_model::Millis;
use tallymark_monitor::facts::{RoleFacts, RoleState};

const HOUR: Millis = 3_600_000;

/// A line of the supervisor's file.
#[derive(Debug, Deserialize)]
struct Line {
    state: String,
    pid: Option<u32>,
    starts: u64,
    #[serde(default)]
    started_at: Option<Millis>,
}

/// Starts seen within the last hour.
#[derive(Default)]
pub struct Roles {
    starts: BTreeMap<String, VecDeque<(Millis, u64)>>,
}

impl Roles {
    pub fn observe(&mut self, layout: &Layout, now: Millis) -> Vec<RoleFacts> {
        let lines = lines(layout);
        Role::ALL
            .into_iter()
            .map(|role| {
                let line = lines.get(role.name());
                let state = match line.map(|l| l.state.as_str()) {
                    Some("up") => RoleState::Running,
                    Some(_) => RoleState::Down,
                    None => RoleState::Starting,
                };
                let restarts = line.map_or(0, |l| self.restarts(role.name(), l.starts, now));
                let beat = beat(layout, role.name());
                RoleFacts {
                    role: role.name().to_owned(),
                    state,
                    beat,
                    progressed: progress(layout, role.name()),
                    started: line.and_then(|l| l.started_at),
                    restarts_last_hour: restarts,
                }
            })
            .collect()
    }

    fn restarts(&mut self, role: &str, starts: u64, now: Millis) -> u32 {
        let seen = self.starts.entry(role.to_owned()).or_default();
        seen.push_back((now, starts));
        while seen.front().is_some_and(|(at, _)| now - at > HOUR) {
            seen.pop_front();
        }
        let first = seen.front().map_or(starts, |(_, n)| *n);
        u32::try_from(starts.saturating_sub(first)).unwrap_or(u32::MAX)
    }
}

/// Which process plays which role now.
pub fn pids(layout: &Layout) -> Vec<(String, u32)> {
    lines(layout).into_iter().filter_map(|(role, line)| Some((role, line.pid?))).collect()
}

fn lines(layout: &Layout) -> BTreeMap<String, Line> {
    let text = std::fs::read_to_string(layout.components()).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// When a role that always has work last got on with it; `None` for roles that do not say.
fn progress(layout: &Layout, role: &str) -> Option<Millis> {
    std::fs::read_to_string(layout.progress(role)).ok()?.trim().parse().ok()
}

fn beat(layout: &Layout, role: &str) -> Option<Millis> {
    std::fs::read_to_string(layout.beat(role)).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_tells_since_when_it_runs_and_when_it_got_on() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        layout.create().unwrap();
        let told =
            r#"{"audit": {"state": "up", "pid": 7, "starts": 1, "started_at": 500, "last_end": null}}"#;
        std::fs::write(layout.components(), told).unwrap();
        crate::layout::write_private(&layout.beat("audit"), "2000").unwrap();
        crate::layout::write_private(&layout.progress("audit"), "1000").unwrap();
        let seen = Roles::default().observe(&layout, 3_000);
        let audit = seen.iter().find(|r| r.role == "audit").unwrap();
        assert_eq!(
            (audit.beat, audit.progressed, audit.state),
            (Some(2_000), Some(1_000), RoleState::Running)
        );
        assert_eq!(audit.started, Some(500));
        let web = seen.iter().find(|r| r.role == "web").unwrap();
        assert_eq!((web.started, web.progressed), (None, None));
    }
}
