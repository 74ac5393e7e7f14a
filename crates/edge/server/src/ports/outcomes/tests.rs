//! A record that was skipped, replayed, filtered, reprocessed or mended: what the deltas say of it now.

use super::*;
use bytes::Bytes;
use tallymark_catalog::{Advance, CatalogError, Origin};
use tallymark_ledger::{Fingerprint, Restatement};
use tallymark_model::{CommitId, Control, DeadReason, Lane, Redrive, Shard};

const SHARD: Shard = Shard { lane: Lane::Live, partition: 0 };
const SHOP: ProjectId = ProjectId(1);

struct Commits(Vec<CommitRecord>);

#[async_trait]
impl Feed for Commits {
    async fn feed(&self, after: CommitSeq, limit: usize) -> Result<Vec<CommitRecord>, CatalogError> {
        Ok(self.0.iter().filter(|c| c.seq > after).take(limit).cloned().collect())
    }
    async fn latest_seq(&self) -> Result<CommitSeq, CatalogError> {
        Ok(CommitSeq(self.0.len() as u64))
    }
}

fn span(from: u64, to: u64) -> Interval {
    Interval::new(SHARD, from, to)
}

fn at(offset: u64) -> Position {
    Position { lane: Lane::Live, partition: 0, offset }
}

fn accounted(visible: u64, filtered: u64, dead: u64) -> Account {
    let tally = Tally { visible, filtered, dead, ..Tally::default() };
    Account::Accounted { tally, visible: Fingerprint::default() }
}

fn parts(account: &Account) -> Vec<(ProjectId, Tally, Fingerprint)> {
    match account {
        Account::Accounted { tally, visible } => vec![(SHOP, *tally, *visible)],
        _ => Vec::new(),
    }
}

/// Commits in order of making, with their deltas in a store.
struct Story {
    commits: Vec<CommitRecord>,
    store: ObjectStore,
}

impl Story {
    fn new() -> Story {
        Story { commits: Vec::new(), store: tallymark_store::open("memory:").unwrap() }
    }

    async fn add(
        &mut self,
        origin: Origin,
        advances: Vec<Advance>,
        restated: Vec<Restatement>,
        exceptions: Vec<(u64, Outcome)>,
        again: Vec<Interval>,
    ) {
        self.add_with(origin, advances, restated, exceptions, again, Vec::new()).await;
    }

    async fn add_with(
        &mut self,
        origin: Origin,
        advances: Vec<Advance>,
        restated: Vec<Restatement>,
        exceptions: Vec<(u64, Outcome)>,
        again: Vec<Interval>,
        controls: Vec<(Position, Control)>,
    ) {
        let seq = self.commits.len() as u64 + 1;
        let id = CommitId(uuid::Uuid::from_u128(u128::from(seq)));
        let exception = |(offset, outcome): (u64, Outcome)| Exception {
            position: at(offset),
            received_at: 1_000 + offset as i64,
            project: SHOP,
            body: if matches!(outcome, Outcome::Dead { .. }) {
                Bytes::from_static(b"{")
            } else {
                Bytes::new()
            },
            outcome,
            key: 0,
            wire: Some(WireFormat::NativeV1),
        };
        let exceptions = exceptions.into_iter().map(exception).collect();
        let delta = Delta { exceptions, restated: again, controls, ..Delta::empty(id) };
        let key = format!("deltas/{seq}");
        self.store.put(&key, delta.encode().unwrap().into()).await.unwrap();
        self.commits.push(CommitRecord {
            seq: CommitSeq(seq),
            id,
            delta: Some(key),
            advances,
            created_at: seq as i64,
            added: Vec::new(),
            removed: Vec::new(),
            origin,
            restated,
            masks: Vec::new(),
        });
    }

    fn tell(self) -> DeltaOutcomes {
        DeltaOutcomes::new(Arc::new(Commits(self.commits)), self.store)
    }
}

fn advance(from: u64, to: u64, account: Account) -> Advance {
    Advance { shard: SHARD, from, to, projects: parts(&account), account, received_from: 0, received_to: 0 }
}

fn restate(interval: Interval, was: Account, now: Account) -> Restatement {
    let (was_parts, now_parts) = (parts(&was), parts(&now));
    Restatement { interval, was, was_parts, now, now_parts, received_from: 0, received_to: 0 }
}

/// 0 to 9 live (3 filtered, 5 dead); 10 to 19 skipped, then replayed (12 filtered); 3 reprocessed; 5 mended.
async fn story() -> DeltaOutcomes {
    let mut story = Story::new();
    let filtered = |rule| Outcome::Filtered { rule };
    let dead = Outcome::Dead { reason: DeadReason::new("invalid_json", "at byte 1") };
    let live = vec![advance(0, 10, accounted(8, 1, 1))];
    story.add(Origin::Live, live, vec![], vec![(3, filtered(7)), (5, dead)], vec![]).await;
    let skipped = Account::Skipped { by: "me".into(), reason: "poison".into() };
    let skip = vec![advance(10, 20, skipped.clone())];
    story.add(Origin::Skip { job: 1 }, skip, vec![], vec![], vec![]).await;
    let replayed = vec![restate(span(10, 20), skipped, accounted(9, 1, 0))];
    story.add(Origin::Replay { job: 2 }, vec![], replayed, vec![(12, filtered(7))], vec![]).await;
    // Of the whole interval only one record changes.
    let changed = vec![restate(span(0, 10), accounted(0, 1, 0), accounted(1, 0, 0))];
    story.add(Origin::Reprocess { job: 3 }, vec![], changed, vec![], vec![span(3, 4)]).await;
    let mended = vec![restate(span(5, 6), accounted(0, 0, 1), accounted(1, 0, 0))];
    let live = vec![advance(20, 22, accounted(2, 0, 0))];
    story.add(Origin::Live, live, mended, vec![], vec![span(5, 6)]).await;
    story.tell()
}

#[tokio::test]
async fn the_newest_decision_has_the_last_word() {
    let outcomes = story().await;
    let told = async |offset: u64| {
        let verdict = outcomes.of(at(offset)).await.unwrap();
        verdict.map(|v| (v.outcome.kind(), v.commit.0, v.decisions))
    };
    assert_eq!(told(0).await, Some((OutcomeKind::Visible, 1, 1)));
    assert_eq!(told(3).await, Some((OutcomeKind::Visible, 4, 2)), "reprocessed");
    assert_eq!(told(5).await, Some((OutcomeKind::Visible, 5, 2)), "mended");
    assert_eq!(told(11).await, Some((OutcomeKind::Visible, 3, 1)), "replayed: the skip decided nothing");
    assert_eq!(told(12).await, Some((OutcomeKind::Filtered, 3, 1)));
    assert_eq!(told(22).await, None, "pending");
}

#[tokio::test]
async fn counts_follow_what_was_decided_again() {
    let outcomes = story().await;
    let all = outcomes.count(&[span(0, 22)]).await.unwrap();
    assert_eq!(all, Tally { visible: 21, filtered: 1, ..Tally::default() });
    let some = outcomes.count(&[span(2, 4), span(12, 13)]).await.unwrap();
    assert_eq!(some, Tally { visible: 2, filtered: 1, ..Tally::default() });
}

#[tokio::test]
async fn a_mended_letter_is_dead_no_more() {
    let outcomes = story().await;
    assert_eq!(outcomes.dead_letters(SHOP, 10, None).await.unwrap().dead, vec![]);
    assert_eq!(outcomes.dead_letter(SHOP, at(5)).await.unwrap(), None);
    // Before it was mended it was there, for its own project only.
    let mut story = Story::new();
    let dead = Outcome::Dead { reason: DeadReason::new("invalid_json", "at byte 1") };
    let live = vec![advance(0, 10, accounted(9, 0, 1))];
    story.add(Origin::Live, live, vec![], vec![(5, dead)], vec![]).await;
    let outcomes = story.tell();
    assert_eq!(outcomes.dead_letters(SHOP, 10, None).await.unwrap().dead.len(), 1);
    assert_eq!(outcomes.dead_letter(SHOP, at(5)).await.unwrap().map(|l| l.position), Some(at(5)));
    assert_eq!(outcomes.dead_letter(ProjectId(2), at(5)).await.unwrap(), None);
    assert_eq!(outcomes.dead_letter(SHOP, at(6)).await.unwrap(), None);
}

#[tokio::test]
async fn a_letter_given_to_a_project_is_its_own_from_then_on() {
    let mut story = Story::new();
    let dead = || Outcome::Dead { reason: DeadReason::new("unknown_token", "") };
    let live = vec![advance(0, 10, accounted(8, 0, 2))];
    story.add(Origin::Live, live, vec![], vec![(4, dead()), (5, dead())], vec![]).await;
    let redrive = |offset: u64, project: Option<u32>| {
        let redrive = Redrive {
            position: at(offset),
            project: project.map(ProjectId),
            wire: WireFormat::NativeV1,
            body: "{}".into(),
            by: "me".into(),
            made_at: 1,
        };
        (at(20 + offset), Control::Redrive(redrive))
    };
    let mended = vec![restate(span(4, 6), accounted(0, 0, 2), accounted(2, 0, 0))];
    let controls = vec![redrive(5, Some(2)), redrive(4, None), redrive(5, Some(3))];
    story.add_with(Origin::Live, vec![], mended, vec![], vec![span(4, 6)], controls).await;
    // Decided again later, by rules that change nothing of it.
    let again = vec![restate(span(5, 6), accounted(1, 0, 0), accounted(1, 0, 0))];
    story.add(Origin::Reprocess { job: 1 }, vec![], again, vec![], vec![span(5, 6)]).await;
    let outcomes = story.tell();
    let given = outcomes.of(at(5)).await.unwrap().unwrap();
    let told = (given.project, given.outcome.kind(), given.decisions);
    assert_eq!(told, (Some(ProjectId(3)), OutcomeKind::Visible, 3), "the last word of who mended it");
    assert_eq!(outcomes.of(at(4)).await.unwrap().unwrap().project, None, "as its token says");
}
