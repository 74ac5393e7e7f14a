//! What a drill works with: a folder, a seed, a clock that may be compressed, and places for instances.

use crate::error::Result;
use crate::figure::Figure;
use crate::instance::Instance;
use crate::judge::ask_all;
use crate::judge::differences;
use crate::judge::{Judgement, judge, wait_visible};
use crate::load::{Load, Profile};
use crate::record::{Acceptance, Record, now_ms};
use crate::timeline::Timeline;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long visible is waited for after a drill's fault is over.
const SETTLE: Duration = Duration::from_secs(40);

/// The stage of one drill.
#[derive(Debug)]
pub struct Stage {
    folder: PathBuf,
    binary: PathBuf,
    /// Seed of everything random.
    pub seed: u64,
    scale: f64,
    timeline: Timeline,
    figures: Vec<Figure>,
    loads: u32,
}

impl Stage {
    /// An empty stage.
    pub fn new(folder: &Path, binary: &Path, seed: u64, scale: f64, quiet: bool) -> Stage {
        Stage {
            folder: folder.to_owned(),
            binary: binary.to_owned(),
            seed,
            scale,
            timeline: Timeline::begin(quiet),
            figures: Vec::new(),
            loads: 0,
        }
    }

    /// Notes what happens.
    pub fn note(&mut self, text: impl Into<String>) {
        self.timeline.note(text);
    }

    /// Keeps a figure.
    pub fn figure(&mut self, figure: Figure) {
        self.timeline.note(format!("figure: {} = {}", figure.name, figure.shown()));
        self.figures.push(figure);
    }

    /// Keeps several.
    pub fn figures(&mut self, figures: impl IntoIterator<Item = Figure>) {
        for figure in figures {
            self.figure(figure);
        }
    }

    /// A duration of the story, stretched or compressed as the caller of the drill asked.
    pub fn time(&self, seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds * self.scale)
    }

    /// Lets story time pass.
    pub async fn pass(&self, seconds: f64) {
        tokio::time::sleep(self.time(seconds)).await;
    }

    /// The drill's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A place for an instance.
    pub fn instance(&self, name: &str) -> Result<Instance> {
        Instance::new(name, &self.folder, &self.binary)
    }

    /// A running instance.
    pub async fn start(&mut self, name: &str) -> Result<Instance> {
        let mut instance = self.instance(name)?;
        let seconds = instance.start().await?;
        self.note(format!("instance `{name}` is up after {seconds:.1} s at {}", instance.url()));
        Ok(instance)
    }

    /// Starts a load; its ids differ from those of every other load of the drill.
    pub fn load(&mut self, instance: &Instance, profile: &Profile, record: &Record) -> Load {
        self.loads += 1;
        self.note(format!(
            "load on `{}`: {:.0} events/s in batches of {} over {} connections",
            instance.name(),
            profile.rate,
            profile.batch,
            profile.connections
        ));
        Load::start(instance, self.seed, self.loads, profile, record)
    }

    /// Runs a load for some seconds of the story; returns the record's acceptance in that time.
    pub async fn load_for(
        &mut self,
        instance: &Instance,
        profile: &Profile,
        record: &Record,
        seconds: f64,
    ) -> Acceptance {
        let from = now_ms();
        let load = self.load(instance, profile, record);
        self.pass(seconds).await;
        load.stop().await;
        Acceptance::of(&record.attempts(from, i64::MAX))
    }

    /// Waits for everything acknowledged to be visible, judges, and keeps the figures of O1.
    pub async fn judge(&mut self, instance: &Instance, record: &Record) -> Result<Judgement> {
        match wait_visible(instance, record, SETTLE).await {
            Ok(seconds) => {
                self.note(format!("everything acknowledged is in the charts after {seconds:.1} s"))
            }
            Err(late) => self.note(format!("{late}")),
        }
        let judgement = judge(instance, record).await?;
        record.save(&self.folder.join(format!("record-{}.ndjson", instance.name())))?;
        if let Some(examples) = judgement.examples() {
            self.note(examples);
        }
        self.figures(judgement.figures());
        Ok(judgement)
    }

    /// As [`Stage::judge`], where the drill itself has put between so many and so many events beside the record.
    pub async fn judge_beside(
        &mut self,
        instance: &Instance,
        record: &Record,
        own: std::ops::RangeInclusive<usize>,
    ) -> Result<Judgement> {
        if let Err(late) = wait_visible(instance, record, SETTLE).await {
            self.note(late.to_string());
        }
        let mut judgement = judge(instance, record).await?;
        let beside = judgement.strangers;
        judgement.strangers = own.start().saturating_sub(beside).max(beside.saturating_sub(*own.end()));
        if let Some(examples) = judgement.examples() {
            self.note(examples);
        }
        self.figures(judgement.figures());
        Ok(judgement)
    }

    /// Asks every chart again and keeps the figure of how many differ from the answers of before.
    pub async fn compare_with(
        &mut self,
        instance: &Instance,
        before: &[(&'static str, Value)],
    ) -> Result<()> {
        let after = ask_all(instance).await?;
        let different = differences(before, &after);
        if let Some(name) = different.first() {
            self.note(format!("charts that differ: {}", different.join(", ")));
            let of = |answers: &[(&'static str, Value)]| {
                answers.iter().find(|(n, _)| n == name).map(|(_, a)| a.to_string()).unwrap_or_default()
            };
            self.note(format!("`{name}` was {:.300} and is {:.300}", of(before), of(&after)));
        }
        self.figure(Figure::count("charts compared with before", after.len()));
        self.figure(Figure::count("charts that differ from before", different.len()).exactly(0.0));
        Ok(())
    }

    /// Proves the books from the files with the binary's own `verify`; keeps the figure of R40.
    pub async fn verify(&mut self, instance: &Instance) -> Result<()> {
        let data = instance.data().display().to_string();
        let done = instance.command(&["verify", "--data", &data, "--json"]).await?;
        let report = done.json()?;
        let violations = report["violation_count"].as_u64().unwrap_or(u64::MAX);
        if violations > 0 {
            self.note(format!("verify: {}", report["violations"]));
        }
        let balance = format!(
            "verify: acknowledged {} = visible {} + duplicate {} + filtered {} + dead {} + lost {} + pending {}",
            report["acknowledged"],
            report["visible"],
            report["duplicate"],
            report["filtered"],
            report["dead"],
            report["lost"],
            report["pending"]
        );
        self.note(balance);
        let number = |k: &str| report[k].as_f64().unwrap_or(0.0);
        let terms = ["visible", "duplicate", "filtered", "dead", "lost", "pending"];
        let off = number("acknowledged") - terms.iter().map(|t| number(t)).sum::<f64>();
        self.figure(
            Figure::of("acknowledged minus the terms of verify", off, "").exactly(0.0).objective("R40"),
        );
        self.figure(
            Figure::of("violations found by verify", violations as f64, "").exactly(0.0).objective("R40"),
        );
        Ok(())
    }

    /// The accepted share and the time to acknowledge, as O2 asks.
    pub fn acceptance(&mut self, when: &str, a: Acceptance) {
        let share = Figure::share(format!("requests accepted {when}"), a.accepted, a.requests);
        self.figure(share.exactly(100.0).objective("O2"));
        let p99 = Figure::of(format!("p99 acknowledgement {when}"), a.p99_ms, "ms");
        self.figure(p99.at_most(250.0).objective("O2").speed());
    }

    /// Ends the stage.
    pub fn end(self) -> (f64, Vec<crate::timeline::Moment>, Vec<Figure>) {
        (self.timeline.seconds(), self.timeline.into_moments(), self.figures)
    }
}
