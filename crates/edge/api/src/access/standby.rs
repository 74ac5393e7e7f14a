//! What the API knows of people, keys and projects while the catalog does not answer.
//!
//! Guarantees: everything in here was confirmed by the catalog, and counts for [`TRUSTED_FOR`] since then; what the
//! catalog denies is forgotten at once; tokens and keys are held as SHA-256, passwords as their hashes. It reads
//! only: whatever changes something needs the catalog.
//! Deliberately not here: answers of queries (`stale`).

use crate::{Keepsake, time};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tallymark_catalog::{KeyKind, Project, Session, User, Verified};
use tallymark_model::{Millis, ProjectId};

/// What was confirmed longer ago is not believed.
const TRUSTED_FOR: Millis = 86_400_000;
/// A later confirmation of what is known is written down this often.
const WRITTEN_EVERY: Millis = 600_000;
const ENTRIES_MAX: usize = 10_000;

/// The copy.
pub(crate) struct Standby {
    place: Arc<dyn Keepsake>,
    held: Mutex<Held>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Held {
    people: BTreeMap<String, Confirmed<(User, String)>>,
    sessions: BTreeMap<String, Confirmed<(User, Millis)>>,
    keys: BTreeMap<String, Confirmed<(i64, KeyKind, Option<ProjectId>)>>,
    projects: Vec<Project>,
    #[serde(skip)]
    written: Millis,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Confirmed<T> {
    what: T,
    at: Millis,
}

impl<T: Clone> Confirmed<T> {
    fn still(&self) -> Option<T> {
        (time::now() - self.at < TRUSTED_FOR).then(|| self.what.clone())
    }
}

impl Standby {
    /// Goes on with what was kept.
    pub fn new(place: Arc<dyn Keepsake>) -> Standby {
        let held = place.load().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        Standby { place, held: Mutex::new(held) }
    }

    /// What the catalog said about a key.
    pub fn confirm_key(&self, credential: &str, said: Option<&Verified>) {
        let said = said.map(|v| (v.key, v.kind, v.project));
        self.confirm(|held| put(&mut held.keys, fingerprint(credential), said));
    }

    /// What the catalog said about a session.
    pub fn confirm_session(&self, token: &str, said: Option<&Session>) {
        let said = said.map(|s| (s.user.clone(), s.created_at));
        self.confirm(|held| put(&mut held.sessions, fingerprint(token), said));
    }

    /// What the catalog said about a person.
    pub fn confirm_person(&self, email: &str, said: Option<&(User, String)>) {
        self.confirm(|held| put(&mut held.people, folded(email), said.cloned()));
    }

    /// All projects.
    pub fn confirm_projects(&self, said: &[Project]) {
        self.confirm(|held| {
            let new = held.projects != said;
            held.projects = said.to_vec();
            new
        });
    }

    /// One project among the others.
    pub fn confirm_project(&self, said: &Project) {
        self.confirm(|held| match held.projects.iter_mut().find(|p| p.id == said.id) {
            Some(known) if known == said => false,
            Some(known) => {
                *known = said.clone();
                true
            }
            None => {
                held.projects.push(said.clone());
                true
            }
        });
    }

    /// A key that is known.
    pub fn key(&self, credential: &str) -> Option<Verified> {
        let known = self.held().keys.get(&fingerprint(credential))?.still();
        known.map(|(key, kind, project)| Verified { key, kind, project })
    }

    /// A session that is known.
    pub fn session(&self, token: &str) -> Option<Session> {
        let known = self.held().sessions.get(&fingerprint(token))?.still();
        known.map(|(user, created_at)| Session { user, created_at })
    }

    /// A person who is known, with the stored password.
    pub fn person(&self, email: &str) -> Option<(User, String)> {
        // A password is asked for anew each time: it does not go stale as a session does.
        self.held().people.get(&folded(email)).map(|p| p.what.clone())
    }

    /// True if somebody is known: then the instance is set up.
    pub fn knows_people(&self) -> bool {
        !self.held().people.is_empty()
    }

    /// The projects that are known.
    pub fn projects(&self) -> Vec<Project> {
        self.held().projects.clone()
    }

    /// The project with this name or number.
    pub fn project(&self, name: &str) -> Option<Project> {
        self.held().projects.iter().find(|p| p.name == name || p.id.to_string() == name).cloned()
    }

    /// A session that only this copy knows: the catalog will ask to log in again.
    pub fn open_session(&self, token: &str, user: &User) {
        self.confirm(|held| put(&mut held.sessions, fingerprint(token), Some((user.clone(), time::now()))));
    }

    /// Ends a session here.
    pub fn close_session(&self, token: &str) {
        self.confirm(|held| held.sessions.remove(&fingerprint(token)).is_some());
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Entries are put in and taken out whole: what a panic left is usable.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn confirm(&self, change: impl FnOnce(&mut Held) -> bool) {
        let mut held = self.held();
        let changed = change(&mut held);
        let now = time::now();
        if changed || now - held.written >= WRITTEN_EVERY {
            held.written = now;
            let text = serde_json::to_string(&*held).unwrap_or_default();
            if let Err(error) = self.place.keep(&text) {
                tracing::warn!(error, "the copy of accounts could not be kept");
            }
        }
    }
}

/// Puts in what was said, or takes out what was denied. True if that is news worth writing down at once.
fn put<T>(map: &mut BTreeMap<String, Confirmed<T>>, key: String, said: Option<T>) -> bool
where
    T: PartialEq,
{
    let Some(what) = said else { return map.remove(&key).is_some() };
    let at = time::now();
    if let Some(known) = map.get_mut(&key) {
        known.at = at;
        if known.what == what {
            return false;
        }
    }
    if map.len() >= ENTRIES_MAX
        && let Some(oldest) = map.iter().min_by_key(|(_, c)| c.at).map(|(k, _)| k.clone())
    {
        map.remove(&oldest);
    }
    map.insert(key, Confirmed { what, at });
    true
}

fn fingerprint(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

fn folded(email: &str) -> String {
    email.trim().to_lowercase()
}
