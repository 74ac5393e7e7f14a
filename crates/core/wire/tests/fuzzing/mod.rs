//! Fuzzing of the rooms on any toolchain: recorded requests, mutated, and what must hold whatever arrives.
//!
//! Guarantees: the same seed runs the same requests; a finding is shown as a golden case that repeats it.
//! Deliberately not here: coverage guidance (`fuzz/`, which needs a nightly toolchain).

mod check;
mod mutate;

use serde_json::{Map, Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// One request as it arrives.
#[derive(Clone, Debug)]
pub struct Case {
    pub room: String,
    pub path: String,
    pub query: String,
    pub headers: Map<String, Value>,
    pub body: Vec<u8>,
}

/// What went wrong, and with what.
#[derive(Debug)]
pub struct Finding {
    pub why: String,
    pub case: Case,
}

/// Recorded requests, and the random numbers that change them.
pub struct Fuzzer {
    seeds: Vec<Case>,
    random: Random,
}

impl Fuzzer {
    /// With the golden requests of one room, or of `all`. A room is the first word of its files' names.
    pub fn new(room: &str, seed: u64) -> Fuzzer {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let entries = std::fs::read_dir(folder).expect("the golden requests stand beside the tests");
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let cases = files.iter().map(|file| Case::read(file));
        let seeds = cases.filter(|case| room == "all" || case.room == room).collect();
        Fuzzer { seeds, random: Random(seed | 1) }
    }

    /// The rooms that have golden requests.
    pub fn rooms() -> Vec<String> {
        let mut rooms: Vec<String> = Fuzzer::new("all", 1).seeds.into_iter().map(|case| case.room).collect();
        rooms.dedup();
        rooms
    }

    /// True if there is nothing to start from.
    pub fn is_empty(&self) -> bool {
        self.seeds.is_empty()
    }

    /// Runs one mutated request.
    pub fn step(&mut self) -> Result<(), Box<Finding>> {
        let (one, other) = (self.random.below(self.seeds.len()), self.random.below(self.seeds.len()));
        let case = mutate::mutated(&self.seeds[one], &self.seeds[other], &mut self.random);
        let checked = catch_unwind(AssertUnwindSafe(|| check::check(&case)));
        let why = match checked {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(panic) => format!("panicked: {}", text_of(panic.as_ref())),
        };
        Err(Box::new(Finding { why, case }))
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

impl Case {
    fn read(file: &Path) -> Case {
        let text = std::fs::read(file).expect("a golden file can be read");
        let case: Value = serde_json::from_slice(&text).expect("a golden file is JSON");
        let word = |name: &str| case.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let body = match case.get("body") {
            Some(body) => body.to_string().into_bytes(),
            None => word("text").into_bytes(),
        };
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let mut headers = case.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
        // Bodies are mutated as they are, and packed only afterwards.
        headers.remove("content-encoding");
        Case {
            room: name.split('-').next().unwrap_or_default().to_owned(),
            path: word("path"),
            query: word("query"),
            headers,
            body,
        }
    }

    /// The case in the form of a golden file; bytes that are no text are replaced.
    pub fn shown(&self) -> String {
        json!({
            "sdk": "found by fuzzing", "path": self.path, "query": self.query, "headers": self.headers,
            "text": String::from_utf8_lossy(&self.body),
        })
        .to_string()
    }
}

/// Numbers that look random and are the same in every run.
pub struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`; 0 if there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit.max(1)
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    pub fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}
