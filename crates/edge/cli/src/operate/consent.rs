//! The question before a destructive command.
//!
//! Guarantees: the plan is shown before anything happens; without the environment's name, typed or given, nothing
//! does; `--yes` alone never suffices; where nobody can be asked the command refuses (A16).
//! Deliberately not here: the rule itself (`recovery::guard`).

use std::io::{BufRead, IsTerminal, Write};
use tallymark_server::recover::{Consent, Destructive, Refusal, Verdict};

/// What came with the command.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConsentArgs {
    /// Name of the environment this is meant for; needed where nobody can be asked.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Accepted and not enough: the environment's name is asked for all the same.
    #[arg(long)]
    pub yes: bool,
}

/// Shows the plan and goes on only with consent.
pub fn ask(plan: &Destructive, given: &ConsentArgs) -> Result<(), Refusal> {
    let stdin = std::io::stdin();
    let terminal = stdin.is_terminal() && std::io::stderr().is_terminal();
    ask_at(plan, given, terminal, &mut stdin.lock(), &mut std::io::stderr())
}

fn ask_at(
    plan: &Destructive,
    given: &ConsentArgs,
    terminal: bool,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> Result<(), Refusal> {
    // A plan that cannot be shown was not agreed to; what cannot be read is not a name. Both end in a refusal.
    let shown = writeln!(output, "{plan}").is_ok();
    let consent = Consent { yes: given.yes, environment: given.environment.as_deref(), terminal };
    match plan.judge(&consent) {
        Verdict::Allowed => Ok(()),
        Verdict::Refused(refusal) => Err(refusal),
        Verdict::Ask => {
            let mut line = String::new();
            let asked = shown && write!(output, "{}", plan.question()).and_then(|()| output.flush()).is_ok();
            if asked && input.read_line(&mut line).is_err() {
                line.clear();
            }
            plan.typed(&line)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_server::recover::{Environment, Reversal};

    fn plan() -> Destructive {
        Destructive {
            action: "skip live/0 from 5 to 9".to_owned(),
            effects: vec!["they are not processed".to_owned()],
            environment: Environment { name: "production".to_owned(), protected: true },
            projects: vec!["shop".to_owned()],
            events: 4,
            reversal: Reversal::Possible,
        }
    }

    /// What was shown, and whether it goes ahead.
    fn try_it(environment: Option<&str>, yes: bool, terminal: bool, typed: &str) -> (String, bool) {
        let given = ConsentArgs { environment: environment.map(str::to_owned), yes };
        let mut shown = Vec::new();
        let answer = ask_at(&plan(), &given, terminal, &mut typed.as_bytes(), &mut shown);
        (String::from_utf8(shown).unwrap(), answer.is_ok())
    }

    #[test]
    fn only_the_name_goes_ahead() {
        let careless = [
            (None, false, false, ""),
            (None, true, false, "production\n"),
            (Some("development"), true, false, ""),
            (Some("development"), true, true, "production\n"),
            (Some(""), true, true, "production\n"),
            (None, true, true, "y\n"),
            (None, true, true, "yes\n"),
            (None, false, true, ""),
            (None, false, true, "Production\n"),
        ];
        for (environment, yes, terminal, typed) in careless {
            let (shown, goes) = try_it(environment, yes, terminal, typed);
            assert!(!goes, "{environment:?} {yes} {terminal} {typed:?}");
            for part in ["production", "shop", "events:   4"] {
                assert!(shown.contains(part), "the plan comes first: {shown}");
            }
        }
        assert!(try_it(Some("production"), false, false, "").1);
        assert!(try_it(None, false, true, "production\n").1);
    }

    #[test]
    fn a_terminal_is_asked_and_a_pipe_is_not() {
        assert!(try_it(None, false, true, "").0.contains("Type the name"));
        assert!(!try_it(None, false, false, "").0.contains("Type the name"));
    }
}
