//! What happens, by seed: a row of steps, each of which may fail, and the judge after some of them.

use crate::clients::{Clients, PROJECTS, Sent};
use crate::fault_disk::Plan;
use crate::observe;
use crate::predict::Judge;
use crate::world::{World, shards};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::time::Duration;
use tallymark_catalog::{JobKind, JobState, Jobs, NewJob, Rules, Snapshots};
use tallymark_ledger::Interval;
use tallymark_model::{Control, Position, ProjectId, Record, Redrive, Rule, RuleAction};
use tallymark_processor::{ProcessorError, Step, Verb};

/// Long enough for everything a seed sends.
const LONG: Duration = Duration::from_secs(60);

/// What a seed did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Story {
    /// Events that were acknowledged.
    pub acknowledged: u64,
    /// Requests that were not.
    pub refused: u64,
    /// Times the processor was stopped dead.
    pub crashes: u64,
    /// Times the power went.
    pub power_cuts: u64,
    /// Rules announced.
    pub rules: u64,
    /// Records skipped.
    pub skipped: u64,
    /// Records decided again.
    pub again: u64,
    /// Dead letters mended.
    pub mended: u64,
    /// Merges of segments.
    pub merges: u64,
    /// Times the judge looked.
    pub verdicts: u64,
}

/// Plays a seed.
///
/// # Panics
/// If anything is not as it must be; the message carries the seed.
pub async fn run(seed: u64) -> Story {
    let mut player = Player {
        rng: StdRng::seed_from_u64(seed),
        world: World::new().await,
        clients: Clients::default(),
        judge: Judge::default(),
        rules: Vec::new(),
        story: Story::default(),
    };
    let steps = player.rng.random_range(12..28);
    for _ in 0..steps {
        player.step().await;
    }
    player.settle().await;
    player.story
}

struct Player {
    rng: StdRng,
    world: World,
    clients: Clients,
    judge: Judge,
    rules: Vec<Rule>,
    story: Story,
}

impl Player {
    async fn step(&mut self) {
        let dice = self.rng.random_range(0..100);
        tracing::info!(dice, "step");
        match dice {
            0..30 => self.clients_send().await,
            30..50 => self.process_and_crash().await,
            50..58 => self.compact().await,
            58..66 => self.change_a_rule().await,
            66..72 => self.power_goes().await,
            72..77 => self.store_goes_away().await,
            77..80 => self.world.forget_state(),
            80..87 => self.skip().await,
            87..91 => self.replay().await,
            91..94 => self.reprocess().await,
            94..97 => self.mend().await,
            _ => self.verdict().await,
        }
    }

    async fn clients_send(&mut self) {
        if self.rng.random_bool(0.25) {
            let plan = match self.rng.random_range(0..3) {
                0 => Plan { fail_content_sync: Some(self.rng.random_range(1..5)), ..Plan::default() },
                1 => Plan {
                    tear_write: Some((self.rng.random_range(1..5), self.rng.random_range(0..900))),
                    ..Plan::default()
                },
                _ => Plan { no_room: true, ..Plan::default() },
            };
            self.world.disk_fails(plan);
        }
        for _ in 0..self.rng.random_range(1..8) {
            let jump = *[0, 1, 1, 50, -3_600_000, 3_600_000, 86_400_000].choose(&mut self.rng).unwrap();
            self.world.clock_jumps(jump);
            let request = self.clients.request(&mut self.rng);
            self.judge.sent(&request);
            match self.world.send(&request).await {
                Some(positions) => {
                    self.story.acknowledged += positions.len() as u64;
                    self.judge.acknowledged(&request, &positions);
                }
                None => {
                    self.story.refused += 1;
                    self.world.restart_collector();
                }
            }
        }
        self.world.disk_fails(Plan::default());
    }

    async fn process_and_crash(&mut self) {
        let crash = self.rng.random_bool(0.7).then(|| self.some_step());
        let most = Duration::from_millis(self.rng.random_range(5..200));
        self.process(crash, most, async |world| world.is_drained().await).await;
    }

    fn some_step(&mut self) -> (Step, u32) {
        let verb = *Verb::ALL.choose(&mut self.rng).unwrap();
        let steps = if self.rng.random_bool(0.7) { Step::ALL.to_vec() } else { Step::of_job(verb) };
        (*steps.choose(&mut self.rng).unwrap(), self.rng.random_range(1..4))
    }

    async fn process(
        &mut self,
        crash: Option<(Step, u32)>,
        most: Duration,
        until: impl AsyncFn(&World) -> bool,
    ) {
        match self.world.process(crash, most, until).await {
            Ok(()) => {}
            Err(ProcessorError::Failpoint(_)) => self.story.crashes += 1,
            Err(error) => panic!("the processor gave up: {error}"),
        }
    }

    async fn compact(&mut self) {
        for _ in 0..self.rng.random_range(1..4) {
            self.story.merges += u64::from(self.world.compact().await);
        }
    }

    async fn change_a_rule(&mut self) {
        let known = self.rules.choose(&mut self.rng).cloned();
        let rule = match known.filter(|_| self.rng.random_bool(0.6)) {
            Some(known) => Rule { enabled: !known.enabled, ..known },
            None => self.new_rule(),
        };
        let rule = self.world.catalog.put_rule(rule).await.unwrap().rule;
        self.world.announce(&Control::Rule(rule.clone())).await;
        self.world.catalog.rule_published(rule.id, rule.version).await.unwrap();
        self.rules.push(rule);
        self.story.rules += 1;
    }

    fn new_rule(&mut self) -> Rule {
        let action = if self.rng.random_bool(0.5) {
            let events = vec![format!("Event {}", self.rng.random_range(0..4))];
            RuleAction::Drop { events, conditions: Vec::new() }
        } else {
            let devices = vec![format!("device-{}", self.rng.random_range(0..5))];
            RuleAction::Block { devices, users: Vec::new() }
        };
        Rule {
            id: 0,
            project: ProjectId(self.rng.random_range(1..=PROJECTS)),
            version: 0,
            name: "a rule".to_owned(),
            enabled: true,
            by: "sim".to_owned(),
            reason: String::new(),
            made_at: 0,
            action,
        }
    }

    async fn power_goes(&mut self) {
        let seed = self.rng.random();
        self.world.power_cut(seed);
        self.story.power_cuts += 1;
    }

    async fn store_goes_away(&mut self) {
        self.world.take_store_away();
        let most = Duration::from_millis(self.rng.random_range(5..60));
        // It may not come up at all without its deltas; what counts is that it does no harm.
        let _ = self.world.process(None, most, async |world| world.is_drained().await).await;
        self.world.compact().await;
        self.world.bring_store_back();
    }

    /// Everything up to a point is processed, then some records behind it are passed by.
    async fn skip(&mut self) {
        self.drain().await;
        self.clients_send().await;
        let reader = self.world.reader();
        let shard = shards().collect::<Vec<_>>()[self.rng.random_range(0..4)];
        let cursors = self.world.catalog.cursors().await.unwrap();
        let from = cursors.iter().find(|c| c.shard == shard).map_or(0, |c| c.position);
        let end = reader.bounds(shard).await.unwrap().end;
        if from >= end {
            return;
        }
        let to = self.rng.random_range(from + 1..=end);
        let range = Interval::new(shard, from, to);
        self.job(JobKind::Skip, serde_json::json!({ "ranges": [range] })).await;
        let positions = positions_of(range);
        self.story.skipped += positions.len() as u64;
        self.judge.skipped(positions);
        let booked: u64 = self.world.catalog.skipped().await.unwrap().iter().map(|r| r.interval.len()).sum();
        assert!(booked >= range.len(), "{range} is not in the books as skipped");
    }

    async fn replay(&mut self) {
        if !self.world.catalog.skipped().await.unwrap().is_empty() {
            self.job(JobKind::Replay, serde_json::json!({})).await;
            assert!(self.world.catalog.skipped().await.unwrap().is_empty());
        }
        self.judge.replayed();
    }

    /// A part of the books is decided again with the rules of now.
    async fn reprocess(&mut self) {
        self.drain().await;
        let rows = self.world.catalog.ledger(None, None, None).await.unwrap();
        let Some(row) = rows.choose(&mut self.rng) else { return };
        if !matches!(row.account, tallymark_ledger::Account::Accounted { .. }) {
            return;
        }
        let from = self.rng.random_range(row.interval.from..row.interval.to);
        let range =
            Interval::new(row.interval.shard, from, self.rng.random_range(from + 1..=row.interval.to));
        self.job(JobKind::Reprocess, serde_json::json!({ "ranges": [range] })).await;
        self.story.again += range.len();
        let rules = self.rules.clone();
        self.judge.decided_again(positions_of(range), &rules);
    }

    /// A dead letter is sent down its own shard with the bytes that it should have had.
    async fn mend(&mut self) {
        self.drain().await;
        let log = observe::log(&self.world).await;
        let Some((position, sent)) = self.judge.dead_letter(&log, self.rng.random_range(0..50)) else {
            return;
        };
        let sent = Sent { name: Some(format!("Event {}", self.rng.random_range(0..4))), ..sent };
        let Record::Event(envelope) = sent.record(0) else { return };
        let control = Control::Redrive(Redrive {
            position,
            project: None,
            wire: envelope.wire,
            body: String::from_utf8_lossy(&envelope.body).into_owned(),
            by: "sim".to_owned(),
            made_at: 0,
        });
        self.world.announce_at(position.shard(), &control).await;
        let crash = self.rng.random_bool(0.5).then(|| self.some_step());
        self.process(crash, LONG, async |world| world.is_drained().await).await;
        self.drain().await;
        self.judge.mended(position, sent);
        self.story.mended += 1;
    }

    /// Asks for a job and runs the processor, crash after crash, until it is over.
    async fn job(&mut self, kind: JobKind, spec: serde_json::Value) {
        let new = NewJob {
            kind,
            project: None,
            spec,
            dry_run: false,
            by: "sim".to_owned(),
            reason: "simulated".to_owned(),
        };
        let id = self.world.catalog.create_job(new).await.unwrap().id;
        for round in 0.. {
            let crash = (round < 3 && self.rng.random_bool(0.5)).then(|| self.some_step());
            let over = async |world: &World| {
                world.catalog.job(id).await.unwrap().is_some_and(|j| j.state.is_final())
            };
            self.process(crash, LONG, over).await;
            let job = self.world.catalog.job(id).await.unwrap().expect("jobs stay");
            if job.state.is_final() {
                assert_eq!(job.state, JobState::Done, "{job:?}");
                return;
            }
            assert!(round < 20, "{job:?} comes to no end");
        }
    }

    async fn drain(&mut self) {
        self.process(None, LONG, async |world| world.is_drained().await).await;
        assert!(self.world.is_drained().await, "what is in the log is processed in the end");
    }

    async fn verdict(&mut self) {
        self.drain().await;
        let log = observe::log(&self.world).await;
        let rows = observe::rows(&self.world).await;
        let sums = observe::books(&self.world, &rows).await;
        self.judge.judge(&log, &rows, &sums);
        self.story.verdicts += 1;
    }

    /// In the end everything is processed, replayed and merged, and judged once more.
    async fn settle(&mut self) {
        self.drain().await;
        self.replay().await;
        self.verdict().await;
        self.compact().await;
        self.world.forget_state();
        self.verdict().await;
    }
}

fn positions_of(range: Interval) -> Vec<Position> {
    let Interval { shard, from, to } = range;
    (from..to).map(|offset| Position { lane: shard.lane, partition: shard.partition, offset }).collect()
}
