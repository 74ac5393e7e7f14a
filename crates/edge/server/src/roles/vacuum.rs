//! `vacuum`: takes files of the buckets and folders that `vacuum.toml` names, again and again.
//!
//! It needs nothing of the other processes but the public port, and the API once per round to learn the project's write
//! key. Addresses come from a file that only the operator of this machine can write, never from the API, so nobody else
//! can have it call anywhere. A source whose round takes hours keeps no other from its own.
//! Guarantees: a changed `vacuum.toml` is in force within seconds; one that cannot be used is said loudly, and what was
//! under way goes on.
//! Deliberately not here: what happens to a file (`vacuum`).

use crate::{Layout, ServerError, layout::write_private};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tallymark_vacuum::{
    Board, Context, EnvFailpoint, Failpoint, HttpDoor, Record, Source, Sources, VacuumError, read_board,
    round,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a round that ended early.
const AGAIN: Duration = Duration::from_secs(3);

/// Takes files until told to stop.
pub async fn run(layout: &Layout, stop: CancellationToken) -> Result<(), ServerError> {
    let folder = layout.vacuum();
    let work = Work {
        layout: layout.clone(),
        board: Board::default(),
        failpoint: Arc::new(EnvFailpoint::from_env()),
        stop: stop.clone(),
    };
    work.board.recall(read_board(&folder));
    let mut rounds: JoinSet<(String, bool)> = JoinSet::new();
    let mut due: HashMap<String, Instant> = HashMap::new();
    let mut busy: Vec<String> = Vec::new();
    let mut record: Option<Arc<Mutex<Record>>> = None;
    let (mut said, mut said_of_record) = (String::new(), String::new());
    while !stop.is_cancelled() {
        while let Some(ended) = rounds.try_join_next() {
            // A round that panicked is among the busy ones for ever otherwise.
            match ended {
                Ok((name, well)) => {
                    busy.retain(|b| *b != name);
                    if !well {
                        let soon = Instant::now() + AGAIN;
                        due.entry(name).and_modify(|at| *at = soon.min(*at));
                    }
                }
                Err(_) if rounds.is_empty() => busy.clear(),
                Err(_) => {}
            }
        }
        // `tallymark vacuum run` may have its turn: nothing begins in the look after the last round ended.
        let turn = rounds.is_empty() && record.take().is_some();
        match Sources::load(&layout.vacuum_sources()) {
            Ok(sources) => {
                said.clear();
                work.board.retain(|name| sources.find(name).is_some());
                for source in sources.source {
                    let now = Instant::now();
                    if turn
                        || busy.contains(&source.name)
                        || due.get(&source.name).is_some_and(|at| *at > now)
                    {
                        continue;
                    }
                    let Some(record) = opened(&mut record, layout, &mut said_of_record) else { continue };
                    due.insert(source.name.clone(), now + Duration::from_secs(source.every_s));
                    busy.push(source.name.clone());
                    rounds.spawn(work.clone().one(source, record));
                }
            }
            Err(error) => say(&mut said, &error),
        }
        if folder.exists()
            && let Err(error) = work.board.write(&folder)
        {
            tracing::warn!(%error, "the state of files is not written");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
    // What is under way is noted within moments; what is not is sent again at the next start.
    while rounds.join_next().await.is_some() {}
    Ok(())
}

fn opened(
    record: &mut Option<Arc<Mutex<Record>>>,
    layout: &Layout,
    said: &mut String,
) -> Option<Arc<Mutex<Record>>> {
    if record.is_none() {
        match Record::open(&layout.vacuum()) {
            Ok(open) => *record = Some(Arc::new(Mutex::new(open))),
            // Somebody runs it by hand: later.
            Err(VacuumError::Busy(_)) => {}
            Err(error) => say(said, &error),
        }
    }
    record.clone()
}

/// Once, not every second.
fn say(said: &mut String, error: &VacuumError) {
    let text = error.to_string();
    if *said != text {
        tracing::error!(%error, "no files are taken");
        *said = text;
    }
}

#[derive(Clone)]
struct Work {
    layout: Layout,
    board: Board,
    failpoint: Arc<dyn Failpoint>,
    stop: CancellationToken,
}

impl Work {
    /// The source's name, and whether its round came to an end.
    async fn one(self, source: Source, record: Arc<Mutex<Record>>) -> (String, bool) {
        let done = self.round(&source, record).await;
        if let Err(error) = done.as_ref()
            && !matches!(error, VacuumError::Stopped)
        {
            tracing::warn!(source = source.name, %error, "a round ended early; trying again");
        }
        (source.name, done.is_ok())
    }

    async fn round(&self, source: &Source, record: Arc<Mutex<Record>>) -> Result<(), VacuumError> {
        let (url, key) = self.connection()?;
        let entrance = HttpDoor::of_project(&url, &key, &source.project).await;
        let entrance = entrance.inspect_err(|error| self.board.fail(&source.name, error.to_string()))?;
        let context = Context {
            folder: self.layout.vacuum(),
            door: Arc::new(entrance.door),
            project: entrance.project,
            failpoint: self.failpoint.clone(),
            board: self.board.clone(),
            stop: self.stop.clone(),
        };
        let report = round(source, &record, &context).await?;
        if report.taken > 0 || report.rows > 0 {
            tracing::info!(
                source = source.name,
                objects = report.taken,
                rows = report.rows,
                rejected = report.rejected,
                "files taken"
            );
        }
        let now = jiff::Timestamp::now().as_millisecond().to_string();
        if let Err(error) = write_private(&self.layout.progress("vacuum"), &now) {
            tracing::debug!(%error, "progress not written");
        }
        Ok(())
    }

    /// As the CLI on this machine finds the server.
    fn connection(&self) -> Result<(String, String), VacuumError> {
        let path = self.layout.local();
        let text =
            std::fs::read_to_string(&path).map_err(|why| VacuumError::File { path: path.clone(), why })?;
        let found: Value = serde_json::from_str(&text).unwrap_or_default();
        match (found["url"].as_str(), found["admin_key"].as_str()) {
            (Some(url), Some(key)) => Ok((url.to_owned(), key.to_owned())),
            _ => Err(VacuumError::Refused(format!("{} does not say where the server is", path.display()))),
        }
    }
}
