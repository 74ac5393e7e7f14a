//! The rules file, its last good copy, and replacing files as a whole.
//!
//! Guarantees: a file that is broken or gone changes nothing: the last good copy stays in force, also over a
//! restart, and it is said why; a reader never sees half a file.
//! Deliberately not here: what rules mean.

use super::rules::{Lookup, Rules};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Largest rules file.
pub(crate) const RULES_BYTES_MAX: u64 = 1 << 20;

/// Where the rules in force are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    File,
    LastGood,
    BuiltIn,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Source::File => "file",
            Source::LastGood => "last_good",
            Source::BuiltIn => "built_in",
        }
    }
}

/// What came of looking at the file.
pub(crate) struct Loaded {
    /// New rules, if there are any.
    pub rules: Option<Lookup>,
    pub source: Source,
    /// Why the file is not in force.
    pub problem: Option<String>,
}

/// The rules file and its copy.
pub(crate) struct RulesFile {
    path: PathBuf,
    /// What was read last, so that a look at an unchanged file costs nothing; `None`: not looked yet.
    seen: Option<Result<Vec<u8>, String>>,
}

impl RulesFile {
    pub fn new(path: &Path) -> RulesFile {
        RulesFile { path: path.to_owned(), seen: None }
    }

    /// The rules at the start of the process.
    pub fn open(&mut self) -> Loaded {
        let found = self.look();
        if let Ok(rules) = found {
            return Loaded { rules: Some(rules), source: Source::File, problem: self.keep_good() };
        }
        let problem = found.err();
        let good =
            read(&good_path(&self.path)).and_then(|text| Lookup::parse(&text).map_err(|e| e.to_string()));
        match good {
            Ok(rules) => Loaded { rules: Some(rules), source: Source::LastGood, problem },
            // Nobody ever wrote a file: nothing is wrong.
            Err(_) => Loaded {
                rules: Lookup::new(Rules::default()).ok(),
                source: Source::BuiltIn,
                problem: problem.filter(|_| self.path.exists()),
            },
        }
    }

    /// Looks again. `None`: nothing changed since the last look.
    pub fn look_again(&mut self, source: Source) -> Option<Loaded> {
        let now = read(&self.path);
        if self.seen.as_ref() == Some(&now) {
            return None;
        }
        let found = self.look();
        Some(match found {
            Ok(rules) => Loaded { rules: Some(rules), source: Source::File, problem: self.keep_good() },
            Err(problem) => {
                let problem = Some(problem).filter(|_| source != Source::BuiltIn || self.path.exists());
                let source = if source == Source::File { Source::LastGood } else { source };
                Loaded { rules: None, source, problem }
            }
        })
    }

    /// Writes a new file and returns its rules.
    pub fn replace(&mut self, rules: Lookup) -> io::Result<Loaded> {
        let mut text = serde_json::to_vec_pretty(&rules.document)?;
        text.push(b'\n');
        replace(&self.path, &text)?;
        self.seen = Some(Ok(text));
        Ok(Loaded { rules: Some(rules), source: Source::File, problem: self.keep_good() })
    }

    fn look(&mut self) -> Result<Lookup, String> {
        let text = read(&self.path);
        self.seen = Some(text.clone());
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = text.map_err(|why| format!("{name}: {why}"))?;
        Lookup::parse(&text).map_err(|why| format!("{name}: {why}"))
    }

    /// Keeps what was just read as the last good copy; without it a restart would not know the rules.
    fn keep_good(&self) -> Option<String> {
        let Some(Ok(text)) = &self.seen else { return None };
        let good = good_path(&self.path);
        if read(&good).as_ref() == Ok(text) {
            return None;
        }
        let kept = replace(&good, text);
        kept.err()
            .map(|why| format!("the rules are in force, but {} cannot be written: {why}", good.display()))
    }
}

/// `throttle.json` → `throttle.good.json`.
fn good_path(path: &Path) -> PathBuf {
    path.with_extension("good.json")
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let file = fs::File::open(path).map_err(|e| e.to_string())?;
    file.take(RULES_BYTES_MAX + 1).read_to_end(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > RULES_BYTES_MAX {
        return Err(format!("the file is larger than {RULES_BYTES_MAX} bytes"));
    }
    Ok(text)
}

/// Replaces a file as a whole: durable when it returns, readable by its owner only.
pub(crate) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: &str =
        r#"{"version":1,"rules":[{"name":"five","per":"user","events_per_second":5,"burst":5}]}"#;

    fn names(loaded: &Loaded) -> Vec<String> {
        loaded.rules.iter().flat_map(|l| l.document.rules.iter().map(|r| r.name.clone())).collect()
    }

    #[test]
    fn a_broken_or_missing_file_leaves_the_last_good_rules_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("throttle.json");
        let mut file = RulesFile::new(&path);
        let first = file.open();
        assert_eq!((first.source, first.problem.is_none()), (Source::BuiltIn, true));
        assert_eq!(names(&first), ["device", "user"]);
        assert!(file.look_again(Source::BuiltIn).is_none());

        fs::write(&path, FIVE).unwrap();
        let changed = file.look_again(Source::BuiltIn).unwrap();
        assert_eq!((changed.source, names(&changed)), (Source::File, vec!["five".to_owned()]));
        assert_eq!(fs::read_to_string(folder.path().join("throttle.good.json")).unwrap(), FIVE);

        for spoil in ["{", r#"{"version":1,"rules":[{"name":"x"}]}"#] {
            fs::write(&path, spoil).unwrap();
            let spoilt = file.look_again(Source::File).unwrap();
            assert!(spoilt.rules.is_none() && spoilt.source == Source::LastGood);
            assert!(spoilt.problem.unwrap().starts_with("throttle.json: "));
            assert!(file.look_again(Source::LastGood).is_none(), "told once");
            // A restart finds the copy.
            let again = RulesFile::new(&path).open();
            assert_eq!((again.source, again.problem.is_some()), (Source::LastGood, true));
            assert_eq!(names(&again), ["five"]);
        }
        fs::remove_file(&path).unwrap();
        let gone = file.look_again(Source::LastGood).unwrap();
        assert!(gone.rules.is_none() && gone.problem.is_some());
        assert_eq!(names(&RulesFile::new(&path).open()), ["five"]);

        fs::write(&path, FIVE.replace("five", "six")).unwrap();
        let mended = file.look_again(Source::LastGood).unwrap();
        assert_eq!(
            (mended.source, mended.problem.is_none(), names(&mended)[0].as_str()),
            (Source::File, true, "six")
        );
    }

    #[test]
    fn a_broken_first_file_is_told_while_the_built_in_rules_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("throttle.json");
        fs::write(&path, "[]").unwrap();
        let first = RulesFile::new(&path).open();
        assert_eq!((first.source, first.problem.is_some()), (Source::BuiltIn, true));
        assert_eq!(names(&first), ["device", "user"]);
    }

    #[test]
    fn replacing_writes_both_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("throttle.json");
        let mut file = RulesFile::new(&path);
        file.open();
        file.replace(Lookup::parse(FIVE.as_bytes()).unwrap()).unwrap();
        assert!(file.look_again(Source::File).is_none());
        assert_eq!(names(&RulesFile::new(&path).open()), ["five"]);
        fs::remove_file(&path).unwrap();
        assert_eq!(names(&RulesFile::new(&path).open()), ["five"]);
    }
}
