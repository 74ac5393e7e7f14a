//! The results: one document for programs (JSON), one for test runners (JUnit XML), one line per figure for people.

use crate::figure::Figure;
use crate::timeline::Moment;
use serde::Serialize;
use std::fmt::Write;

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All figures met their objectives.
    Passed,
    /// A figure did not, or the drill could not be carried through.
    Failed,
    /// This build or machine lacks something the drill needs; nothing was shown.
    NotRun,
}

impl Verdict {
    /// For the terminal.
    pub fn shown(self) -> &'static str {
        match self {
            Verdict::Passed => "PASS",
            Verdict::Failed => "FAIL",
            Verdict::NotRun => "NOT RUN",
        }
    }
}

/// One drill's result.
#[derive(Debug, Clone, Serialize)]
pub struct DrillReport {
    /// Its name.
    pub name: String,
    /// Rows of the matrix it re-enacts.
    pub rows: Vec<String>,
    /// In one line.
    pub title: String,
    /// What happened then, and what is done here.
    pub story: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Why, if not passed.
    pub why: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// The figures.
    pub figures: Vec<Figure>,
    /// What happened when.
    pub timeline: Vec<Moment>,
}

/// The result of a run.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// The seed, for another run like this one.
    pub seed: u64,
    /// When it began, ISO 8601.
    pub began: String,
    /// How long it took.
    pub seconds: f64,
    /// All passed?
    pub passed: bool,
    /// Each drill.
    pub drills: Vec<DrillReport>,
}

impl RunReport {
    /// How many ended so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.drills.iter().filter(|d| d.verdict == verdict).count()
    }

    /// JUnit XML: a drill is a test case, a missed objective a failure, a drill that cannot run here is skipped.
    pub fn junit(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<testsuite name=\"tallymark drill\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.1}\">",
            self.drills.len(),
            self.count(Verdict::Failed),
            self.count(Verdict::NotRun),
            self.seconds
        );
        for drill in &self.drills {
            let name = escape(&drill.name);
            let _ = writeln!(out, "  <testcase name=\"{name}\" time=\"{:.1}\">", drill.seconds);
            let why = escape(drill.why.as_deref().unwrap_or_default());
            match drill.verdict {
                Verdict::Passed => {}
                Verdict::Failed => drop(writeln!(out, "    <failure message=\"{why}\"/>")),
                Verdict::NotRun => drop(writeln!(out, "    <skipped message=\"{why}\"/>")),
            }
            let mut text = String::new();
            for figure in &drill.figures {
                let _ = writeln!(text, "{}: {}", figure.name, figure.shown());
            }
            let _ = writeln!(out, "    <system-out>{}</system-out>", escape(&text));
            out.push_str("  </testcase>\n");
        }
        out.push_str("</testsuite>\n");
        out
    }
}

/// Text as XML text or attribute; characters that XML cannot hold are dropped.
fn escape(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            other => other.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drill(name: &str, verdict: Verdict) -> DrillReport {
        DrillReport {
            name: name.into(),
            rows: vec!["A19-3".into()],
            title: "t".into(),
            story: "s".into(),
            verdict,
            why: (verdict != Verdict::Passed).then(|| "lost < 0 & \"more\"".into()),
            seconds: 1.0,
            figures: vec![Figure::count("lost", 0).exactly(0.0)],
            timeline: Vec::new(),
        }
    }

    #[test]
    fn junit_counts_and_escapes() {
        let drills =
            vec![drill("a", Verdict::Passed), drill("b", Verdict::Failed), drill("c", Verdict::NotRun)];
        let run = RunReport { seed: 1, began: String::new(), seconds: 3.0, passed: false, drills };
        let xml = run.junit();
        assert!(xml.contains("tests=\"3\" failures=\"1\" skipped=\"1\""), "{xml}");
        assert!(xml.contains("lost &lt; 0 &amp; &quot;more&quot;"), "{xml}");
        assert_eq!(xml.matches("<testcase").count(), xml.matches("</testcase>").count());
    }
}
