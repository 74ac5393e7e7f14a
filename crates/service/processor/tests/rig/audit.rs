//! An auditor with books of its own: from what was sent it says what must be there, from files it sees what is.
//!
//! It never asks the processor. Checked are I2 and I3 (ledger), I4 (rows of segments against the ledger), I5
//! (witnesses), I8 (checkpoint + deltas = all deltas), one outcome per position, and one row per insert id.

use super::{Body, Rig, shards};
use std::collections::{BTreeMap, BTreeSet};
use tallymark_catalog::{Feed, Garbage, Snapshots};
use tallymark_ledger::{Account, Book, Entry, Fingerprint, SegmentKind, check_rows};
use tallymark_log::LogReader;
use tallymark_model::{CommitSeq, Outcome, Position, ProjectId};
use tallymark_processor::catch_up;
use tallymark_state::{Delta, Exception, State, StateConfig};
use tallymark_store::{EventRow, PropertyRow, SegmentReader};

/// Everything that can be found in files.
#[derive(Default)]
pub struct Found {
    pub rows: BTreeMap<Position, (ProjectId, EventRow)>,
    pub properties: Vec<(ProjectId, PropertyRow)>,
    pub exceptions: BTreeMap<Position, Exception>,
    pub deltas: usize,
}

impl Found {
    pub fn outcome(&self, position: Position) -> &'static str {
        match (self.rows.contains_key(&position), self.exceptions.get(&position).map(|e| &e.outcome)) {
            (true, None) => "visible",
            (false, Some(Outcome::Duplicate { .. })) => "duplicate",
            (false, Some(Outcome::Dead { .. })) => "dead",
            (false, Some(Outcome::Filtered { .. })) => "filtered",
            (false, None) => "none",
            (visible, other) => panic!("{position} is visible: {visible} and {other:?}"),
        }
    }

    pub fn reason(&self, position: Position) -> &str {
        match self.exceptions.get(&position).map(|e| &e.outcome) {
            Some(Outcome::Dead { reason }) => &reason.code,
            other => panic!("{position} is not dead but {other:?}"),
        }
    }
}

/// What queries can see of the rows, whatever their places in the log and in files: sorted.
pub fn visible(found: &Found) -> Vec<String> {
    let row = |(project, r): &(ProjectId, EventRow)| {
        let who = (&r.user_id, &r.device_id, &r.insert_id, &r.session_id);
        format!("{project} {} {who:?} {:?} {:?}", r.event, r.properties, r.groups)
    };
    let mut rows: Vec<String> = found.rows.values().map(row).collect();
    rows.sort_unstable();
    rows
}

/// Reads all files and checks what must hold of any of them.
pub async fn audit(rig: &Rig) -> Found {
    let found = read_files(rig).await;
    check_ledger(rig, &found).await;
    check_witnesses(&found);
    check_state(rig).await;
    found
}

/// And checks them against what was sent.
pub async fn audit_all(rig: &Rig) -> Found {
    assert!(rig.is_drained().await);
    let found = audit(rig).await;
    check_sent(rig, &found);
    found
}

/// Positions of the rows that count in files.
pub async fn rows(rig: &Rig) -> Vec<Position> {
    let mut positions = Vec::new();
    let live = rig.catalog.live().await.unwrap();
    let ids: Vec<_> = live.iter().map(|m| m.id).collect();
    let masked: BTreeMap<_, _> = rig.catalog.masked(&ids).await.unwrap().into_iter().collect();
    for meta in live.iter().filter(|m| m.kind == SegmentKind::Events) {
        let masks = masked.get(&meta.id).map_or(&[][..], Vec::as_slice);
        let reader = SegmentReader::open(&rig.store, meta).unwrap();
        let all = reader.events().map(|r| r.unwrap().position);
        positions.extend(all.filter(|p| !masks.iter().any(|m| m.interval.contains(*p))));
    }
    positions
}

async fn read_files(rig: &Rig) -> Found {
    let mut found = Found::default();
    let live = rig.catalog.live().await.unwrap();
    let ids: Vec<_> = live.iter().map(|m| m.id).collect();
    let masked: BTreeMap<_, _> = rig.catalog.masked(&ids).await.unwrap().into_iter().collect();
    for meta in live {
        let reader = SegmentReader::open(&rig.store, &meta).unwrap();
        let masks = masked.get(&meta.id).map_or(&[][..], Vec::as_slice);
        let counts = |p: Position| !masks.iter().any(|m| m.interval.contains(p));
        match meta.kind {
            SegmentKind::Events => {
                for row in reader.events().map(Result::unwrap).filter(|r| counts(r.position)) {
                    let twice = found.rows.insert(row.position, (meta.project, row));
                    assert!(twice.is_none(), "a position has two rows: {twice:?}");
                }
            }
            SegmentKind::Properties => {
                let rows = reader.property_rows().map(Result::unwrap).filter(|r| counts(r.position));
                found.properties.extend(rows.map(|r| (meta.project, r)));
            }
        }
    }
    for record in rig.catalog.feed(CommitSeq(0), usize::MAX >> 1).await.unwrap() {
        let Some(key) = record.delta else { continue };
        let delta = Delta::decode(&rig.store.get(&key).await.unwrap()).unwrap();
        assert_eq!(delta.commit, record.id);
        found.deltas += 1;
        found.exceptions.retain(|p, _| !delta.restated.iter().any(|i| i.contains(*p)));
        for e in delta.exceptions {
            let twice = found.exceptions.insert(e.position, e);
            assert!(twice.is_none(), "a position has two outcomes: {twice:?}");
        }
    }
    found
}

async fn check_ledger(rig: &Rig, found: &Found) {
    let mut book = Book::new();
    for cursor in rig.catalog.cursors().await.unwrap() {
        book.open(cursor.shard, 0, cursor.position);
    }
    let ledger = rig.catalog.ledger(None, None, None).await.unwrap();
    for row in &ledger {
        let entry = Entry { interval: row.interval, account: row.account.clone() };
        let inside = || found.rows.keys().filter(|p| row.interval.contains(**p));
        let sum = inside()
            .fold(Fingerprint::default(), |sum, p| sum + Fingerprint::of(LogReader::id(&rig.log), *p));
        assert_eq!(check_rows(&entry, inside().count() as u64, sum), None, "I4");
        if let Account::Accounted { tally, .. } = &row.account {
            let count = |what: &str| {
                let all = found.exceptions.keys().filter(|p| row.interval.contains(**p));
                all.filter(|p| found.outcome(**p) == what).count() as u64
            };
            assert_eq!(
                (tally.duplicate, tally.dead, tally.filtered),
                (count("duplicate"), count("dead"), count("filtered")),
                "{:?}",
                row.interval
            );
        }
        book.record(entry);
    }
    assert_eq!(book.verify(), [], "I2, I3");
}

fn check_witnesses(found: &Found) {
    for (position, e) in &found.exceptions {
        if let Outcome::Duplicate { witness } = &e.outcome {
            let (project, _) =
                found.rows.get(witness).unwrap_or_else(|| panic!("I5: {position} -> {witness}"));
            assert_eq!(*project, e.project, "I5: the witness is another project's");
        }
    }
}

async fn check_state(rig: &Rig) {
    let settings = StateConfig { dedup_days: rig.config().dedup_days };
    let mut straight = State::empty(settings);
    catch_up(&mut straight, &rig.catalog, &rig.store, None).await.unwrap();
    let mut resumed = State::open(&rig.config().state_dir, settings).unwrap();
    assert!(resumed.applied() <= straight.applied(), "I8: a checkpoint is ahead of the catalog");
    catch_up(&mut resumed, &rig.catalog, &rig.store, None).await.unwrap();
    assert_eq!(straight.digest(), resumed.digest(), "I8");
}

/// Predicts outcomes from what was sent alone.
fn check_sent(rig: &Rig, found: &Found) {
    let mut by_key: BTreeMap<_, Vec<Position>> = BTreeMap::new();
    for (position, sent) in &rig.sent {
        let outcome = found.outcome(*position);
        let expected = match (&sent.body, sent.project) {
            (Body::Control, _) => "none",
            (_, 3..) => "dead",
            (Body::Raw(bytes), _) => {
                let e = &found.exceptions[position];
                assert_eq!((outcome, &e.body[..], e.project), ("dead", &bytes[..], ProjectId(sent.project)));
                continue;
            }
            (Body::Named(name), _) => {
                if let Some((project, row)) = found.rows.get(position) {
                    assert_eq!((*project, &row.event), (ProjectId(sent.project), name));
                    assert_eq!((&row.device_id, &row.user_id), (&sent.device, &sent.user));
                }
                match &sent.insert {
                    None => "visible",
                    Some(insert) => {
                        let who = sent.device.clone().map(|d| (0, d)).or(sent.user.clone().map(|u| (1, u)));
                        by_key.entry((sent.project, who, insert.clone())).or_default().push(*position);
                        continue;
                    }
                }
            }
        };
        assert_eq!(outcome, expected, "{position} {sent:?}");
    }
    for (key, positions) in by_key {
        let outcomes: Vec<&str> = positions.iter().map(|p| found.outcome(*p)).collect();
        let visible = outcomes.iter().filter(|o| **o == "visible").count();
        assert_eq!(visible, 1, "{key:?} was sent as {positions:?} and became {outcomes:?}");
        assert!(outcomes.iter().all(|o| matches!(*o, "visible" | "duplicate")), "{key:?}: {outcomes:?}");
    }
    let sent: BTreeSet<Position> = rig.sent.iter().map(|(p, _)| *p).collect();
    assert!(
        found.rows.keys().chain(found.exceptions.keys()).all(|p| sent.contains(p)),
        "something from nowhere"
    );
    assert!(shards().count() > 0);
}
