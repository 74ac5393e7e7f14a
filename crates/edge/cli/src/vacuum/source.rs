//! A source on the command line.

use crate::Failure;
use crate::import::mapping::from_arguments;
use std::path::Path;
use tallymark_vacuum::{Format, Source};

/// A source that is added.
#[derive(Debug, Clone, clap::Args)]
pub struct SourceArgs {
    /// `s3://BUCKET/PREFIX[?endpoint=…&region=…]`, or a folder or file of this machine.
    #[arg(long)]
    pub from: String,
    /// Project, by id or name.
    #[arg(long)]
    pub project: String,
    #[command(flatten)]
    pub more: MoreArgs,
}

/// A source that is only described.
#[derive(Debug, Clone, clap::Args)]
pub struct AdHocArgs {
    /// `s3://BUCKET/PREFIX[?endpoint=…&region=…]`, or a folder or file of this machine.
    #[arg(long, requires = "project")]
    pub from: Option<String>,
    /// Project, by id or name.
    #[arg(long, requires = "from")]
    pub project: Option<String>,
    #[command(flatten)]
    pub more: MoreArgs,
}

/// How to read it.
#[derive(Debug, Clone, clap::Args)]
pub struct MoreArgs {
    /// What a row is: events (of the native API), amplitude-export, posthog-export, mixpanel-export, segment-export.
    #[arg(long, value_parser = Format::from_name, default_value = "events")]
    pub format: Format,
    /// A mapping file (TOML or JSON), or `field=expression`; repeatable. As for `tallymark import`.
    #[arg(long = "map")]
    pub map: Vec<String>,
    /// Only keys that match this regular expression.
    #[arg(long = "match")]
    pub pattern: Option<String>,
    /// Look every so many seconds.
    #[arg(long)]
    pub every: Option<u64>,
    /// Take a local file when it has not changed for so many seconds.
    #[arg(long)]
    pub settle: Option<u64>,
    /// Files read at the same time.
    #[arg(long)]
    pub parallel: Option<usize>,
}

impl SourceArgs {
    /// The source.
    pub fn source(&self, name: &str) -> Result<Source, Failure> {
        source(name, &self.from, &self.project, &self.more)
    }
}

impl AdHocArgs {
    /// The source; `--from` is there.
    pub fn source(&self, name: Option<&str>) -> Result<Source, Failure> {
        let (from, project) = (self.from.as_deref(), self.project.as_deref());
        source(name.unwrap_or("by-hand"), from.unwrap_or_default(), project.unwrap_or_default(), &self.more)
    }
}

fn source(name: &str, from: &str, project: &str, more: &MoreArgs) -> Result<Source, Failure> {
    let from = if from.starts_with("s3:") || from.starts_with("file:") {
        from.to_owned()
    } else {
        // The server has another working folder.
        format!("file:{}", std::path::absolute(Path::new(from))?.display())
    };
    let mut source = Source::new(name, &from, project);
    source.format = more.format;
    source.pattern = more.pattern.clone();
    source.every_s = more.every.unwrap_or(source.every_s);
    source.settle_s = more.settle.unwrap_or(source.settle_s);
    source.parallel = more.parallel.unwrap_or(source.parallel);
    if !more.map.is_empty() {
        source.map = Some(from_arguments(&more.map)?);
    }
    source.check()?;
    Ok(source)
}
