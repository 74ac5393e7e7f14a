//! Runs drills one after the other: prints the story, the timeline, the figures and the verdict.
//!
//! Guarantees: a drill that exceeds its limit is ended and failed; an interrupt ends the run and leaves nothing
//! running; folders are removed unless they are to be kept.

use crate::drills::{DRILLS, Drill, find};
use crate::error::{DrillError, Result};
use crate::figure::Figure;
use crate::report::{DrillReport, RunReport, Verdict};
use crate::stage::Stage;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// No drill may take longer, at time scale 1.
const LIMIT: Duration = Duration::from_secs(480);

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names; empty = all that can run here.
    pub names: Vec<String>,
    /// The binary under test.
    pub binary: PathBuf,
    /// Seed of everything random.
    pub seed: u64,
    /// Keep folders and say where they are.
    pub keep: bool,
    /// Stretches (above 1) or compresses (below 1) the story's durations.
    pub time_scale: f64,
    /// Print nothing but the verdicts.
    pub quiet: bool,
    /// Write the JSON report here.
    pub json: Option<PathBuf>,
    /// Write the JUnit report here.
    pub junit: Option<PathBuf>,
}

/// Runs the drills and writes the reports.
pub async fn run(options: &Options) -> Result<RunReport> {
    let drills: Vec<&'static Drill> = if options.names.is_empty() {
        DRILLS.iter().collect()
    } else {
        options
            .names
            .iter()
            .map(|n| find(n).ok_or_else(|| DrillError::Unknown(n.clone())))
            .collect::<Result<_>>()?
    };
    let began = jiff::Timestamp::now().to_string();
    let clock = Instant::now();
    println!("seed {}   binary {}", options.seed, options.binary.display());
    let mut reports = Vec::new();
    for drill in drills {
        let report = tokio::select! {
            report = one(drill, options) => report?,
            _ = tokio::signal::ctrl_c() => {
                println!("interrupted; everything the drill started is stopped");
                break;
            }
        };
        reports.push(report);
    }
    let report = RunReport {
        seed: options.seed,
        began,
        seconds: clock.elapsed().as_secs_f64(),
        passed: !reports.is_empty() && reports.iter().all(|r: &DrillReport| r.verdict == Verdict::Passed),
        drills: reports,
    };
    summary(&report);
    if let Some(path) = &options.json {
        write(path, &serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(path) = &options.junit {
        write(path, &report.junit())?;
    }
    Ok(report)
}

async fn one(drill: &'static Drill, options: &Options) -> Result<DrillReport> {
    let folder = tempfile::Builder::new()
        .prefix(&format!("tallymark-drill-{}-", drill.name))
        .tempdir()
        .map_err(DrillError::io("a scratch folder"))?;
    println!("\n== {} ({})\n   {}", drill.name, drill.rows.join(", "), drill.title);
    if !options.quiet {
        println!("   {}\n", drill.story.replace('\n', "\n   "));
    }
    let mut stage =
        Stage::new(folder.path(), &options.binary, options.seed, options.time_scale, options.quiet);
    let limit = LIMIT.mul_f64(options.time_scale.max(1.0));
    let outcome = match tokio::time::timeout(limit, (drill.run)(&mut stage)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(DrillError::TimedOut { what: "the drill".to_owned(), seconds: limit.as_secs_f64() }),
    };
    let (seconds, timeline, figures) = stage.end();
    let (verdict, why) = verdict(&outcome, &figures);
    println!("   {}  {} in {seconds:.1} s", verdict.shown(), drill.name);
    if let Some(why) = &why {
        println!("   because: {why}");
    }
    if options.keep {
        println!("   kept: {}", folder.keep().display());
    }
    Ok(DrillReport {
        name: drill.name.to_owned(),
        rows: drill.rows.iter().map(ToString::to_string).collect(),
        title: drill.title.to_owned(),
        story: drill.story.to_owned(),
        verdict,
        why,
        seconds,
        figures,
        timeline,
    })
}

fn verdict(outcome: &Result<()>, figures: &[Figure]) -> (Verdict, Option<String>) {
    match outcome {
        Err(missing @ DrillError::Missing(_)) => (Verdict::NotRun, Some(missing.to_string())),
        Err(error) => (Verdict::Failed, Some(error.to_string())),
        Ok(()) if figures.is_empty() => (Verdict::Failed, Some("no figure was measured".to_owned())),
        Ok(()) => {
            let missed: Vec<String> =
                figures.iter().filter(|f| !f.met()).map(|f| format!("{} = {}", f.name, f.shown())).collect();
            match missed.is_empty() {
                true => (Verdict::Passed, None),
                false => (Verdict::Failed, Some(missed.join("; "))),
            }
        }
    }
}

fn summary(report: &RunReport) {
    println!("\n== summary (seed {})", report.seed);
    for drill in &report.drills {
        println!("   {:7}  {:6.1} s  {}", drill.verdict.shown(), drill.seconds, drill.name);
        if let Some(why) = &drill.why {
            println!("                      {}", why.lines().next().unwrap_or_default());
        }
    }
    println!(
        "   {} passed, {} failed, {} not run, in {:.0} s",
        report.count(Verdict::Passed),
        report.count(Verdict::Failed),
        report.count(Verdict::NotRun),
        report.seconds
    );
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(DrillError::io(path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_without_figures_shows_nothing() {
        assert_eq!(verdict(&Ok(()), &[]).0, Verdict::Failed);
        let good = Figure::count("lost", 0).exactly(0.0);
        assert_eq!(verdict(&Ok(()), std::slice::from_ref(&good)).0, Verdict::Passed);
        let bad = Figure::count("doubled", 1).exactly(0.0);
        assert_eq!(verdict(&Ok(()), &[good, bad]).0, Verdict::Failed);
        let missing = Err(DrillError::Missing("replay".into()));
        assert_eq!(verdict(&missing, &[]).0, Verdict::NotRun);
    }
}
