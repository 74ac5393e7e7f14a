//! Killed between any two durable steps, refused, throttled, answered and not heard: each row is there once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tallymark_vacuum::*;
use tokio_util::sync::CancellationToken;

/// A collector and its dedup: rows by insert id, and how often each was sent.
#[derive(Default)]
struct Memory {
    rows: Mutex<BTreeMap<String, (u32, Value)>>,
    /// Every n-th request is not answered: before it is taken, or after.
    flaky: Option<usize>,
    asked: Mutex<usize>,
    /// Most events it takes at once.
    most: Option<usize>,
    /// Nothing is let in.
    closed: bool,
}

#[async_trait]
impl Door for Memory {
    async fn send(&self, body: Vec<u8>) -> Result<Answer, DoorError> {
        let asked = {
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            *asked
        };
        let later = || DoorError::Later { why: "busy".into(), after: Some(Duration::from_millis(1)) };
        if self.closed {
            return Err(DoorError::Never("401 the key is not valid".into()));
        }
        if self.flaky.is_some_and(|n| asked % n == 0) {
            return Err(later());
        }
        let parsed: Value = serde_json::from_slice(&body).unwrap();
        let events = parsed["events"].as_array().unwrap();
        if self.most.is_some_and(|most| events.len() > most) {
            return Err(DoorError::TooLarge);
        }
        let mut refused = Vec::new();
        for (index, event) in events.iter().enumerate() {
            if event["event"] == "refused" {
                refused.push(Refused { index, why: "invalid_field: no".into() });
                continue;
            }
            let id = event["insert_id"].as_str().unwrap().to_owned();
            self.rows.lock().unwrap().entry(id).or_insert((0, event.clone())).0 += 1;
        }
        if self.flaky.is_some_and(|n| asked % n == 1) {
            return Err(later());
        }
        Ok(Answer { refused })
    }
}

impl Memory {
    fn count(&self) -> usize {
        self.rows.lock().unwrap().len()
    }
}

fn fill(folder: &Path, files: usize, rows: usize) {
    std::fs::create_dir_all(folder).unwrap();
    for file in 0..files {
        let mut text = String::new();
        for row in 0..rows {
            match row % 1_000 {
                7 => text.push_str("{oops\n"),
                8 => text.push_str("{\"event\":\"refused\"}\n"),
                _ => text.push_str(&format!(
                    "{{\"event\":\"e\",\"user_id\":\"u{row}\",\"properties\":{{\"f\":{file}}}}}\n"
                )),
            }
        }
        std::fs::write(folder.join(format!("{file}.ndjson")), text).unwrap();
    }
}

struct Bench {
    dir: tempfile::TempDir,
    door: Arc<Memory>,
    source: Source,
}

impl Bench {
    fn new(door: Memory) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let mut source = Source::new("logs", &format!("file:{}", dir.path().join("in").display()), "shop");
        source.settle_s = 0;
        Bench { dir, door: Arc::new(door), source }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("vacuum")
    }

    fn files(&self) -> std::path::PathBuf {
        self.dir.path().join("in")
    }

    async fn run(&self, failpoint: impl Failpoint + 'static) -> Result<Report, VacuumError> {
        let record = Arc::new(Mutex::new(Record::open(&self.folder())?));
        let context = Context {
            folder: self.folder(),
            door: self.door.clone(),
            project: "p1".into(),
            failpoint: Arc::new(failpoint),
            board: Board::default(),
            stop: CancellationToken::new(),
        };
        let done = round(&self.source, &record, &context).await;
        // A thread that was about to note something lets go of the record when it is done, as a killed process does.
        while Arc::strong_count(&record) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        done
    }

    async fn accept(&self, key: &str, rest: bool) -> bool {
        let record = Arc::new(Mutex::new(Record::open(&self.folder()).unwrap()));
        accept(&self.source, &record, "p1", key, rest).await.unwrap()
    }
}

/// 3 files of 4,500 rows, of which 5 cannot be read and 5 are refused each.
const FILES: usize = 3;
const ROWS: usize = 4_500;
const GOOD: usize = FILES * (ROWS - 10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_any_two_steps_each_row_is_there_once() {
    for step in Step::ALL {
        for nth in [1, 2, 4] {
            let bench = Bench::new(Memory::default());
            fill(&bench.files(), FILES, ROWS);
            let killed = bench.run(CrashAt::new(step, nth)).await;
            if !(step == Step::BeforeEnd && nth > FILES as u32) {
                assert!(matches!(killed, Err(VacuumError::Failpoint)), "{step:?} {nth}: {killed:?}");
            }
            bench.run(NoFailpoint).await.unwrap();
            assert_eq!(bench.door.count(), GOOD, "{step:?} {nth}");
            let (_, rejects) = read_rejects(&bench.folder(), "logs", 5).unwrap();
            assert_eq!(rejects, FILES as u64 * 10, "{step:?} {nth}");
            let record = Record::view(&bench.folder()).unwrap();
            let (rows, refused) = record.entries().fold((0, 0), |(a, b), e| (a + e.rows, b + e.rejected));
            assert_eq!((rows, refused), (GOOD as u64, FILES as u64 * 10), "{step:?} {nth}");
            let again = bench.run(NoFailpoint).await.unwrap();
            assert_eq!((again.known, again.taken, again.rows), (FILES as u64, 0, 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_and_servers_that_want_less_at_once_change_nothing() {
    let bench = Bench::new(Memory { flaky: Some(3), most: Some(300), ..Memory::default() });
    fill(&bench.files(), FILES, ROWS);
    let report = bench.run(NoFailpoint).await.unwrap();
    assert_eq!((report.taken, report.rows, report.rejected), (3, GOOD as u64, 30));
    assert_eq!(bench.door.count(), GOOD);
    assert!(bench.door.rows.lock().unwrap().values().any(|(times, _)| *times > 1), "some were sent again");
    let rows = bench.door.rows.lock().unwrap();
    let (_, event) = rows.values().find(|(_, e)| e["properties"]["$source_row"] == 4_500).unwrap();
    assert_eq!(event["properties"]["$source"], "logs");
    assert!(event["properties"]["$source_object"].as_str().unwrap().ends_with(".ndjson"));
    drop(rows);
    let (rejects, _) = read_rejects(&bench.folder(), "logs", 100).unwrap();
    let mut at: Vec<u64> = rejects.iter().map(|r| r.row).collect();
    at.sort_unstable();
    at.dedup();
    assert_eq!(at, [8, 9, 1008, 1009, 2008, 2009, 3008, 3009, 4008, 4009]);
    assert!(rejects.iter().any(|r| r.text == "{oops" && r.why.contains("not a JSON object")));
    assert!(rejects.iter().any(|r| r.why == "invalid_field: no" && r.text.contains("refused")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_file_is_reported_and_taken_only_when_somebody_says_so() {
    let bench = Bench::new(Memory::default());
    fill(&bench.files(), 1, 20);
    bench.run(NoFailpoint).await.unwrap();
    assert_eq!(bench.door.count(), 18);
    let file = bench.files().join("0.ndjson");
    // The same content written anew is the same file.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text).unwrap();
    let same = bench.run(NoFailpoint).await.unwrap();
    assert_eq!((same.known, same.changed.len()), (1, 0));
    assert!(!bench.accept("0.ndjson", true).await, "nothing to accept");

    std::fs::write(&file, format!("{text}{{\"event\":\"late\"}}\n")).unwrap();
    for _ in 0..2 {
        let report = bench.run(NoFailpoint).await.unwrap();
        assert_eq!((report.changed, report.rows), (vec!["0.ndjson".to_owned()], 0));
    }
    assert_eq!(bench.door.count(), 18);
    assert!(bench.accept("0.ndjson", true).await);
    let report = bench.run(NoFailpoint).await.unwrap();
    assert_eq!((report.taken, report.rows, report.changed.len()), (1, 1, 0));
    assert_eq!(bench.door.count(), 19);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_file_stops_nobody_and_is_not_tried_for_ever() {
    let bench = Bench::new(Memory::default());
    fill(&bench.files(), 1, 20);
    std::fs::write(bench.files().join("broken.json.gz"), "not gzip at all").unwrap();
    std::fs::write(bench.files().join("broken.parquet"), "PAR1 but no more PAR1").unwrap();
    std::fs::write(bench.files().join("notes.txt"), "hello").unwrap();
    for _ in 0..2 {
        let report = bench.run(NoFailpoint).await.unwrap();
        assert_eq!((report.failed.len(), report.unknown), (2, vec!["notes.txt".to_owned()]));
    }
    assert_eq!(bench.door.count(), 18);
    std::fs::write(bench.files().join("broken.json.gz"), "").unwrap();
    std::fs::remove_file(bench.files().join("broken.parquet")).unwrap();
    assert_eq!(bench.run(NoFailpoint).await.unwrap().changed, ["broken.json.gz"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_for_good_ends_the_round_and_loses_nothing() {
    let mut bench = Bench::new(Memory { closed: true, ..Memory::default() });
    fill(&bench.files(), FILES, ROWS);
    assert!(matches!(bench.run(NoFailpoint).await, Err(VacuumError::Refused(_))));
    bench.door = Arc::new(Memory::default());
    bench.run(NoFailpoint).await.unwrap();
    assert_eq!(bench.door.count(), GOOD);
}

struct Knows(u64);

#[async_trait]
impl Seen for Knows {
    async fn count(&self, insert_ids: &[String]) -> Result<u64, String> {
        Ok(self.0.min(insert_ids.len() as u64))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_says_what_a_run_then_does_and_sends_nothing() {
    let bench = Bench::new(Memory::default());
    fill(&bench.files(), 2, 1_000);
    let twice =
        "{\"event\":\"e\",\"insert_id\":\"x\"}\n{\"event\":\"e\",\"insert_id\":\"x\"}\n{\"event\":5}\n";
    std::fs::write(bench.files().join("twice.ndjson"), twice).unwrap();
    let options = PlanOptions { rows_per_object: u64::MAX, samples: 3 };
    let record = Arc::new(Mutex::new(Record::view(&bench.folder()).unwrap()));
    let scratch = bench.dir.path().join("x");
    let planned = plan(&bench.source, &record, &scratch, "p1", &options, &Knows(0)).await.unwrap();
    // The refused event is one that only this test's collector refuses.
    assert_eq!((planned.objects, planned.rows, planned.added), (3, 2_003, 2 * 999 + 1));
    assert_eq!((planned.duplicates, planned.rejected, planned.partial), (1, 3, false));
    assert_eq!((planned.samples.len(), planned.rejects.len()), (3, 3));
    assert_eq!(planned.events["e"], 2 * 998 + 1);
    let planned = plan(&bench.source, &record, &scratch, "p1", &options, &Knows(1)).await.unwrap();
    assert_eq!(planned.duplicates, 4);
    assert!(bench.door.count() == 0 && !bench.folder().exists());
    bench.run(NoFailpoint).await.unwrap();
    let record = Arc::new(Mutex::new(Record::view(&bench.folder()).unwrap()));
    let after = plan(&bench.source, &record, &bench.folder(), "p1", &options, &Knows(0)).await.unwrap();
    assert_eq!((after.known, after.objects, after.added), (3, 0, 0));
}
