//! `vacuum.toml` of the data folder: what is watched.
//!
//! A file, and not the catalog: files go on being taken while the catalog is away, an operator can read and edit it,
//! and nobody who may only use the API can make the server read a folder or call an address (there is no resource for
//! it). It holds no secrets: credentials come from the environment, as for backups.
//!
//! ```toml
//! [[source]]
//! name    = "orders"
//! from    = "s3://exports/shop/orders?region=eu-central-1"    # or file:/var/exports
//! project = "shop"
//! format  = "events"            # or amplitude-export, posthog-export, mixpanel-export, segment-export
//! match   = '\.csv\.gz$'        # regular expression over the key; default: everything
//! every_s = 30
//! [source.map]                  # instead of format: as for `tallymark import`
//! event = "'order'"
//! ```
//! Guarantees: what cannot be used is refused as a whole, with the reason; adding and removing keep comments.

use crate::{Format, Place, VacuumError};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tallymark_mapping::{Mapping, MappingText};

/// One bucket or folder that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What it is called; in the property `$source` of each row.
    pub name: String,
    /// `s3://BUCKET/PREFIX` or `file:DIR`.
    pub from: String,
    /// Project, by id or name.
    pub project: String,
    /// What a row is.
    #[serde(default, skip_serializing_if = "Format::is_default")]
    pub format: Format,
    /// Which keys; a regular expression.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// How often to look, seconds.
    #[serde(default = "every")]
    pub every_s: u64,
    /// How long a local file must not have changed to be taken, seconds.
    #[serde(default = "settle")]
    pub settle_s: u64,
    /// Objects read at the same time.
    #[serde(default = "parallel")]
    pub parallel: usize,
    /// How a row becomes an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<MappingText>,
}

fn every() -> u64 {
    30
}
fn settle() -> u64 {
    5
}
fn parallel() -> usize {
    4
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sources {
    /// In the order of the file.
    #[serde(default)]
    pub source: Vec<Source>,
}

impl Source {
    /// With what a source that is only named has.
    pub fn new(name: &str, from: &str, project: &str) -> Source {
        Source {
            name: name.to_owned(),
            from: from.to_owned(),
            project: project.to_owned(),
            format: Format::default(),
            pattern: None,
            every_s: every(),
            settle_s: settle(),
            parallel: parallel(),
            map: None,
        }
    }

    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(plain) {
            return Err(format!("`{}` is not a name: use 1 to 64 of [A-Za-z0-9_-]", self.name));
        }
        let wrong = |why: &dyn std::fmt::Display| format!("source `{}`: {why}", self.name);
        Place::check(&self.from).map_err(|e| wrong(&e))?;
        if let Some(pattern) = &self.pattern {
            regex::Regex::new(pattern).map_err(|e| wrong(&format!("`match`: {e}")))?;
        }
        if self.parallel == 0 || self.parallel > 64 || self.every_s == 0 {
            return Err(wrong(&"`parallel` is 1 to 64 and `every_s` at least 1"));
        }
        if let Some(map) = &self.map {
            if !Format::is_default(&self.format) {
                return Err(wrong(&"a format by name brings its mapping; leave `map` or `format` out"));
            }
            Mapping::compile(map).map_err(|e| wrong(&e))?;
        }
        Ok(())
    }
}

impl Sources {
    /// Reads the file; none is no sources.
    pub fn load(path: &Path) -> Result<Sources, VacuumError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Sources::parse(&text).map_err(|why| config(path, why)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Sources::default()),
            Err(e) => Err(VacuumError::at(path)(e)),
        }
    }

    fn parse(text: &str) -> Result<Sources, String> {
        let sources: Sources = toml::from_str(text).map_err(|e| e.to_string())?;
        for (i, source) in sources.source.iter().enumerate() {
            source.check()?;
            if sources.source[..i].iter().any(|s| s.name == source.name) {
                return Err(format!("two sources are called `{}`", source.name));
            }
        }
        Ok(sources)
    }

    /// The source of this name.
    pub fn find(&self, name: &str) -> Option<&Source> {
        self.source.iter().find(|s| s.name == name)
    }

    /// Adds a source at the end of the file.
    pub fn add(path: &Path, source: &Source) -> Result<(), VacuumError> {
        source.check().map_err(|why| config(path, why))?;
        let mut text = text_of(path)?;
        if !text.is_empty() {
            text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
        }
        let one = Sources { source: vec![source.clone()] };
        text.push_str(&toml::to_string(&one).map_err(|e| config(path, e.to_string()))?);
        Sources::parse(&text).map_err(|why| config(path, why))?;
        replace(path, &text)
    }

    /// Takes a source out; false if there is none of this name. What it took stays taken.
    pub fn remove(path: &Path, name: &str) -> Result<bool, VacuumError> {
        let Some(nth) = Sources::load(path)?.source.iter().position(|s| s.name == name) else {
            return Ok(false);
        };
        let text = text_of(path)?;
        let (mut seen, mut kept) = (0usize, String::new());
        for line in text.split_inclusive('\n') {
            seen += usize::from(line.trim_start().starts_with("[[source]]"));
            if seen != nth + 1 {
                kept.push_str(line);
            }
        }
        let left = Sources::parse(&kept).map_err(|why| config(path, why))?;
        if left.find(name).is_some() {
            return Err(config(
                path,
                "it is written in an unusual way; take the source out by hand".to_owned(),
            ));
        }
        replace(path, &kept)?;
        Ok(true)
    }
}

fn config(path: &Path, why: String) -> VacuumError {
    VacuumError::Config { path: path.display().to_string(), why }
}

fn text_of(path: &Path) -> Result<String, VacuumError> {
    match std::fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        other => other.map_err(VacuumError::at(path)),
    }
}

fn replace(path: &Path, text: &str) -> Result<(), VacuumError> {
    let fresh = path.with_extension("toml.new");
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::File::open(&fresh)?.sync_all())
        .and_then(|()| std::fs::rename(&fresh, path))
        .map_err(VacuumError::at(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_added_and_removed_and_comments_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vacuum.toml");
        assert_eq!(Sources::load(&path).unwrap(), Sources::default());
        std::fs::write(&path, "# ours\n").unwrap();
        let mut orders = Source::new("orders", "s3://exports/a?region=eu-1", "shop");
        orders.map = Some(MappingText { event: Some("'order'".to_owned()), ..MappingText::default() });
        Sources::add(&path, &orders).unwrap();
        let mut logs = Source::new("logs", "file:/var/logs", "shop");
        logs.format = Format::SegmentExport;
        Sources::add(&path, &logs).unwrap();
        assert_eq!(Sources::load(&path).unwrap().source, [orders, logs.clone()]);
        assert!(Sources::add(&path, &logs).unwrap_err().to_string().contains("two sources"));
        assert!(Sources::remove(&path, "orders").unwrap());
        assert!(!Sources::remove(&path, "orders").unwrap());
        assert_eq!(Sources::load(&path).unwrap().source, [logs]);
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("# ours\n"));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let with = |change: &dyn Fn(&mut Source)| {
            let mut source = Source::new("logs", "file:/x", "shop");
            change(&mut source);
            source.check().unwrap_err()
        };
        assert!(with(&|s| s.name = "a b".to_owned()).contains("not a name"));
        assert!(with(&|s| s.from = "gs://x".to_owned()).contains("s3://BUCKET"));
        assert!(with(&|s| s.pattern = Some("(".to_owned())).contains("`match`"));
        assert!(with(&|s| s.parallel = 0).contains("parallel"));
        let map = Some(MappingText { event: Some("row.a".to_owned()), ..MappingText::default() });
        assert!(
            with(&|s| (s.map, s.format) = (map.clone(), Format::SegmentExport))
                .contains("brings its mapping")
        );
        assert!(with(&|s| s.map = Some(MappingText::default())).contains("names no event"));
        assert!(Sources::parse("[[source]]\nname='a'\nfrom='file:/x'\nproject='p'\ncolour='red'\n").is_err());
    }
}
