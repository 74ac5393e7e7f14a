//! What stands between a command that destroys and the data: the environment's name, said by a person.
//!
//! Rules: the plan is shown before anything happens. The environment's name is typed, or was given as
//! `--environment NAME` and fits. `--yes` alone never suffices. Without a terminal nobody can type, so the option is
//! needed. While an instance is protected, what cannot be taken back is refused whatever is typed.
//! Guarantees: pure; the same answers for command line, API and jobs.
//! Deliberately not here: reading terminals, doing anything.

use crate::RecoveryError;
use serde::Serialize;
use std::fmt;
use tallymark_catalog::Instance;

/// What an instance is called when nobody said.
pub const DEFAULT_ENVIRONMENT: &str = "development";
/// The name that protects by itself.
pub const PRODUCTION: &str = "production";

/// Which environment an instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// True: what cannot be taken back is refused.
    pub protected: bool,
}

impl Environment {
    /// From the instance's settings `environment` and `protected`; production is protected unless told otherwise.
    pub async fn of(instance: &dyn Instance) -> Result<Environment, RecoveryError> {
        let name = instance.setting("environment").await?;
        let protected = instance.setting("protected").await?;
        Ok(Environment::from_settings(
            name.as_ref().and_then(|v| v.as_str()),
            protected.as_ref().and_then(|v| v.as_bool()),
        ))
    }

    /// The same from values at hand.
    pub fn from_settings(name: Option<&str>, protected: Option<bool>) -> Environment {
        let name = name.map(str::trim).filter(|n| !n.is_empty()).unwrap_or(DEFAULT_ENVIRONMENT).to_owned();
        let protected = protected.unwrap_or(name == PRODUCTION);
        Environment { name, protected }
    }
}

/// Whether it can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversal {
    /// Until a time, with the command named in the plan.
    Possible,
    /// Not at all.
    Impossible,
}

/// A command that destroys, before it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Destructive {
    /// The command, as a person would say it: `delete project shop`.
    pub action: String,
    /// What will happen, a line each, the undo among them if there is one.
    pub effects: Vec<String>,
    /// Where.
    pub environment: Environment,
    /// Names of the projects whose data is touched.
    pub projects: Vec<String>,
    /// Events that are touched.
    pub events: u64,
    /// Whether it can be taken back.
    pub reversal: Reversal,
}

/// What came with the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Consent<'a> {
    /// `--yes` was given. It saves no question; it is here so that it cannot be taken for more.
    pub yes: bool,
    /// `--environment NAME`.
    pub environment: Option<&'a str>,
    /// Somebody can be asked.
    pub terminal: bool,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go ahead.
    Allowed,
    /// Show the plan, ask for the environment's name, and hand what was typed to [`Destructive::typed`].
    Ask,
    /// Do nothing and say why.
    Refused(Refusal),
}

/// Why nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The instance is protected.
    #[error(
        "environment `{environment}` is protected and this cannot be taken back; nothing was done. Switch the \
         protection off first (setting `protected`), which is written to the audit trail"
    )]
    Protected {
        /// Its name.
        environment: String,
    },
    /// A name was given and it is another one.
    #[error("this is environment `{here}`, not `{given}`; nothing was done")]
    OtherEnvironment {
        /// What was given.
        given: String,
        /// Where we are.
        here: String,
    },
    /// Nobody can be asked and no name was given.
    #[error(
        "nobody can be asked here; nothing was done. Say which environment you mean: --environment {environment}{}",
        if *.yes { " (--yes alone is not enough)" } else { "" }
    )]
    NobodyToAsk {
        /// Where we are.
        environment: String,
        /// `--yes` was given.
        yes: bool,
    },
    /// What was typed is not the name.
    #[error("`{typed}` is not `{environment}`; nothing was done")]
    Mistyped {
        /// What was typed.
        typed: String,
        /// Where we are.
        environment: String,
    },
}

impl Destructive {
    /// Whether the command may go ahead with what came with it.
    pub fn judge(&self, consent: &Consent<'_>) -> Verdict {
        let here = &self.environment.name;
        if self.environment.protected && self.reversal == Reversal::Impossible {
            return Verdict::Refused(Refusal::Protected { environment: here.clone() });
        }
        match consent.environment {
            Some(given) if given == here => Verdict::Allowed,
            Some(given) => {
                Verdict::Refused(Refusal::OtherEnvironment { given: given.to_owned(), here: here.clone() })
            }
            None if consent.terminal => Verdict::Ask,
            None => Verdict::Refused(Refusal::NobodyToAsk { environment: here.clone(), yes: consent.yes }),
        }
    }

    /// The answer to [`Verdict::Ask`].
    pub fn typed(&self, line: &str) -> Result<(), Refusal> {
        let typed = line.trim();
        if typed == self.environment.name {
            return Ok(());
        }
        Err(Refusal::Mistyped { typed: typed.to_owned(), environment: self.environment.name.clone() })
    }

    /// The line to ask with.
    pub fn question(&self) -> String {
        format!("Type the name of the environment ({}) to go ahead: ", self.environment.name)
    }
}

/// Projects named in a plan before "and n more".
const PROJECTS_SHOWN: usize = 10;

impl fmt::Display for Destructive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protection = if self.environment.protected { " (protected)" } else { "" };
        writeln!(f, "About to {} in environment {}{protection}.", self.action, self.environment.name)?;
        for effect in &self.effects {
            writeln!(f, "  - {effect}")?;
        }
        let shown = self.projects.iter().take(PROJECTS_SHOWN).cloned().collect::<Vec<_>>().join(", ");
        let more = self.projects.len().saturating_sub(PROJECTS_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let projects = if shown.is_empty() { "none".to_owned() } else { shown };
        writeln!(f, "  projects: {} ({projects}{more})", self.projects.len())?;
        writeln!(f, "  events:   {}", self.events)?;
        match self.reversal {
            Reversal::Possible => write!(f, "  It can be taken back as said above."),
            Reversal::Impossible => write!(f, "  It cannot be taken back."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(environment: &str, protected: bool, reversal: Reversal) -> Destructive {
        Destructive {
            action: "delete project shop".to_owned(),
            effects: vec!["undo until tomorrow: tallymark project undelete shop".to_owned()],
            environment: Environment { name: environment.to_owned(), protected },
            projects: vec!["shop".to_owned()],
            events: 12_345,
            reversal,
        }
    }

    #[test]
    fn every_way_of_an_accident_is_refused() {
        let production = plan(PRODUCTION, true, Reversal::Possible);
        let consent = |yes, environment, terminal| Consent { yes, environment, terminal };
        // In a pipe; with --yes in a pipe; a command line copied from development, with and without a terminal.
        let accidents = [
            (consent(false, None, false), true),
            (consent(true, None, false), true),
            (consent(true, Some("development"), false), true),
            (consent(true, Some("development"), true), true),
            (consent(true, Some("Production"), true), true),
            (consent(true, Some(""), true), true),
        ];
        for (consent, refused) in accidents {
            assert_eq!(matches!(production.judge(&consent), Verdict::Refused(_)), refused, "{consent:?}");
        }
        // With a terminal, --yes changes nothing: the name is asked for.
        assert_eq!(production.judge(&consent(true, None, true)), Verdict::Ask);
        for typed in ["", "y", "yes", "development", "PRODUCTION", "production!"] {
            assert!(production.typed(typed).is_err(), "{typed}");
        }
        assert_eq!(production.typed(" production\n"), Ok(()));
        assert_eq!(production.judge(&consent(false, Some("production"), false)), Verdict::Allowed);
    }

    #[test]
    fn protection_refuses_what_cannot_be_taken_back_even_with_the_name() {
        let consent = Consent { yes: true, environment: Some(PRODUCTION), terminal: true };
        let refused = plan(PRODUCTION, true, Reversal::Impossible).judge(&consent);
        assert!(matches!(refused, Verdict::Refused(Refusal::Protected { .. })));
        assert_eq!(plan(PRODUCTION, false, Reversal::Impossible).judge(&consent), Verdict::Allowed);
        assert_eq!(plan(PRODUCTION, true, Reversal::Possible).judge(&consent), Verdict::Allowed);
    }

    #[test]
    fn production_is_protected_unless_told_otherwise() {
        let of = Environment::from_settings;
        assert_eq!(of(None, None), Environment { name: "development".into(), protected: false });
        assert_eq!(of(Some("  "), None).name, DEFAULT_ENVIRONMENT);
        assert!(of(Some("production"), None).protected);
        assert!(!of(Some("production"), Some(false)).protected);
        assert!(of(Some("staging"), Some(true)).protected);
    }

    #[test]
    fn the_plan_says_where_what_and_how_much() {
        let mut many = plan(PRODUCTION, true, Reversal::Possible);
        many.projects = (0..13).map(|n| format!("p{n}")).collect();
        let text = many.to_string();
        for part in ["delete project shop", "production (protected)", "13 (p0", "and 3 more", "12345", "undo"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    proptest! {
        /// Nothing goes ahead without the exact name.
        #[test]
        fn no_consent_without_the_name(
            name in "[a-z]{1,12}", given in proptest::option::of("[a-z]{0,12}"), yes: bool, terminal: bool,
            protected: bool, typed in ".{0,12}",
        ) {
            let plan = plan(&name, protected, Reversal::Possible);
            let consent = Consent { yes, environment: given.as_deref(), terminal };
            if plan.judge(&consent) == Verdict::Allowed {
                prop_assert_eq!(given.as_deref(), Some(name.as_str()));
            }
            if plan.typed(&typed).is_ok() {
                prop_assert_eq!(typed.trim(), name.as_str());
            }
        }
    }
}
