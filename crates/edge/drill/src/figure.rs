//! A figure of the matrix: a number, and the objective it is held against.

use serde::Serialize;

/// What the number must satisfy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
    /// Exactly this.
    Exactly(f64),
}

impl Rule {
    /// Does the value satisfy it?
    pub fn met_by(self, value: f64) -> bool {
        match self {
            Rule::AtMost(limit) => value <= limit,
            Rule::AtLeast(limit) => value >= limit,
            Rule::Exactly(wanted) => value == wanted,
        }
    }

    /// `≤ 60`
    pub fn shown(self) -> String {
        match self {
            Rule::AtMost(v) => format!("<= {}", number(v)),
            Rule::AtLeast(v) => format!(">= {}", number(v)),
            Rule::Exactly(v) => format!("= {}", number(v)),
        }
    }
}

/// One measured number.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// In words.
    pub name: String,
    /// The number.
    pub value: f64,
    /// `s`, `ms`, `%`, `x`, events/s, or nothing for counts.
    pub unit: &'static str,
    /// Row or objective of the matrix it belongs to.
    pub objective: Option<&'static str>,
    /// What it must satisfy; `None` = for information.
    pub rule: Option<Rule>,
    /// False: measured, but this build or machine is not the one the objective speaks of.
    pub judged: bool,
}

impl Figure {
    /// A count, for information until a rule is given.
    pub fn count(name: impl Into<String>, value: usize) -> Figure {
        Figure::of(name, value as f64, "")
    }

    /// A number with a unit.
    pub fn of(name: impl Into<String>, value: f64, unit: &'static str) -> Figure {
        Figure { name: name.into(), value, unit, objective: None, rule: None, judged: true }
    }

    /// Yes or no, as 1 or 0; must be yes.
    pub fn must(name: impl Into<String>, holds: bool) -> Figure {
        Figure::of(name, f64::from(u8::from(holds)), "yes").exactly(1.0)
    }

    /// Seconds.
    pub fn seconds(name: impl Into<String>, value: f64) -> Figure {
        Figure::of(name, (value * 100.0).round() / 100.0, "s")
    }

    /// Percent of a whole; of nothing it is 100.
    pub fn share(name: impl Into<String>, part: usize, whole: usize) -> Figure {
        let share = if whole == 0 { 100.0 } else { 100.0 * part as f64 / whole as f64 };
        Figure::of(name, share, "%")
    }

    /// Must be this.
    pub fn exactly(self, value: f64) -> Figure {
        Figure { rule: Some(Rule::Exactly(value)), ..self }
    }

    /// Must not be more.
    pub fn at_most(self, value: f64) -> Figure {
        Figure { rule: Some(Rule::AtMost(value)), ..self }
    }

    /// Must not be less.
    pub fn at_least(self, value: f64) -> Figure {
        Figure { rule: Some(Rule::AtLeast(value)), ..self }
    }

    /// Which objective or row of the matrix asks for it.
    pub fn objective(self, id: &'static str) -> Figure {
        Figure { objective: Some(id), ..self }
    }

    /// Speed is judged with a release build only: a debug build says the number and leaves it at that.
    pub fn speed(self) -> Figure {
        Figure { judged: self.judged && !cfg!(debug_assertions), ..self }
    }

    /// True unless a rule is broken that counts.
    pub fn met(&self) -> bool {
        !self.judged || self.rule.is_none_or(|r| r.met_by(self.value))
    }

    /// `12.5 s (O7: <= 10) met`
    pub fn shown(&self) -> String {
        let value = match (self.unit, self.value) {
            ("yes", v) => if v == 1.0 { "yes" } else { "no" }.to_owned(),
            ("", v) => number(v),
            (unit, v) => format!("{} {unit}", number(v)),
        };
        let id = self.objective.map(|o| format!("{o}: ")).unwrap_or_default();
        let rule = match self.rule {
            Some(Rule::Exactly(_)) if self.unit == "yes" => format!("  [{id}yes]"),
            Some(rule) => format!("  [{id}{}]", rule.shown()),
            None => String::new(),
        };
        let verdict = match (self.rule, self.judged, self.met()) {
            (None, ..) => "",
            (_, false, _) => "  (debug build: not judged)",
            (_, _, true) => "  ok",
            (_, _, false) => "  NOT MET",
        };
        format!("{value}{rule}{verdict}")
    }
}

fn number(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        format!("{value:.0}")
    } else if value.abs() >= 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_met_only_within_its_rule() {
        assert!(Figure::count("lost", 0).exactly(0.0).met());
        assert!(!Figure::count("lost", 1).exactly(0.0).met());
        assert!(Figure::seconds("alarm", 59.9).at_most(60.0).met());
        assert!(!Figure::seconds("alarm", 60.1).at_most(60.0).met());
        assert!(!Figure::share("accepted", 999, 1000).exactly(100.0).met());
        assert!(Figure::share("accepted", 0, 0).exactly(100.0).met());
        assert!(!Figure::must("shown", false).met());
    }

    #[test]
    fn a_figure_reads_with_its_objective() {
        let shown = Figure::seconds("alarm", 12.345).at_most(60.0).objective("O3").shown();
        assert_eq!(shown, "12.35 s  [O3: <= 60]  ok");
        assert_eq!(Figure::must("x", false).shown(), "no  [yes]  NOT MET");
    }
}
