//! `tallymark rules`: what is dropped, blocked, not stored; tried before it is switched on.

use super::follow::{self, FollowArgs};
use crate::Failure;
use crate::client::{Client, ConnectArgs, path_segment};
use crate::show::{cell, table};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Whose rules.
#[derive(Debug, Clone, clap::Args)]
pub struct RulesArgs {
    #[command(subcommand)]
    pub command: RulesCommand,
    /// Project, by id or name.
    #[arg(long, global = true, default_value = "")]
    pub project: String,
    /// Print as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// What to do with rules.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum RulesCommand {
    /// The rules, and since when each decides.
    List,
    /// Every version of a rule.
    Versions {
        /// Its number.
        rule: u32,
    },
    /// Add a rule; it decides what comes after.
    Add {
        /// What people call it.
        #[arg(long)]
        name: String,
        /// Why; kept in the books.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Say what a rule would filter of the stored events, without adding it.
    Try {
        /// Received since this instant or local date; default 24 hours ago.
        #[arg(long)]
        from: Option<String>,
        /// Received before this instant, or through this local date.
        #[arg(long)]
        to: Option<String>,
        #[command(flatten)]
        action: ActionArgs,
    },
    /// Switch a rule off; `tallymark reprocess` brings back what it filtered.
    Disable {
        /// Its number.
        rule: u32,
        /// Why; kept in the books.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Switch a rule on again.
    Enable {
        /// Its number.
        rule: u32,
        /// Why; kept in the books.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// What a rule does: exactly one kind.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ActionArgs {
    /// Drop events of this name (may be repeated).
    #[arg(long, value_name = "EVENT")]
    pub drop: Vec<String>,
    /// Only those that meet this condition, JSON as in queries (may be repeated).
    #[arg(long = "where", value_name = "JSON")]
    pub conditions: Vec<String>,
    /// Drop everything from this user id (may be repeated).
    #[arg(long, value_name = "ID")]
    pub block_user: Vec<String>,
    /// Drop everything from this device id (may be repeated).
    #[arg(long, value_name = "ID")]
    pub block_device: Vec<String>,
    /// Do not store this property (may be repeated).
    #[arg(long, value_name = "NAME")]
    pub deny_property: Vec<String>,
    /// The action as JSON, from a file.
    #[arg(long, value_name = "FILE")]
    pub action: Option<PathBuf>,
}

impl ActionArgs {
    fn json(&self) -> Result<Value, Failure> {
        let mut actions = Vec::new();
        if !self.drop.is_empty() || !self.conditions.is_empty() {
            let parse = |text: &String| -> Result<Value, Failure> {
                serde_json::from_str(text).map_err(|e| format!("--where {text}: {e}").into())
            };
            let conditions = self.conditions.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
            actions.push(json!({"type": "drop", "events": self.drop, "conditions": conditions}));
        }
        if !self.block_user.is_empty() || !self.block_device.is_empty() {
            actions.push(json!({"type": "block", "users": self.block_user, "devices": self.block_device}));
        }
        if !self.deny_property.is_empty() {
            actions.push(json!({"type": "properties", "deny": self.deny_property}));
        }
        if let Some(path) = &self.action {
            let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            actions.push(serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?);
        }
        match actions.len() {
            1 => Ok(actions.remove(0)),
            0 => Err(
                "say what the rule does: --drop, --block-user, --block-device, --deny-property or --action"
                    .into(),
            ),
            _ => Err("a rule does one kind of thing: add several rules".into()),
        }
    }
}

/// Runs `rules`.
pub async fn run(args: &RulesArgs) -> Result<ExitCode, Failure> {
    if args.project.is_empty() {
        return Err("whose rules? give --project".into());
    }
    let client = Client::connect(&args.connect)?;
    let base = format!("/api/v1/projects/{}/rules", path_segment(&args.project));
    match &args.command {
        RulesCommand::List => show_all(&client.get(&base).await?, args.json),
        RulesCommand::Versions { rule } => {
            show_all(&client.get(&format!("{base}/{rule}/versions")).await?, args.json)
        }
        RulesCommand::Add { name, reason, action } => {
            let body = json!({"name": name, "reason": reason, "action": action.json()?});
            show_one(&client.post_once(&base, &body).await?, args.json)
        }
        RulesCommand::Try { from, to, action } => {
            let body = json!({"action": action.json()?, "from": from, "to": to});
            let answer = client.post_once(&format!("{base}/preview"), &body).await?;
            let follow_args = FollowArgs { json: args.json, detach: false };
            follow::follow(&client, answer["job"].clone(), follow_args).await
        }
        RulesCommand::Disable { rule, reason } => {
            switch(&client, &base, *rule, false, reason, args.json).await
        }
        RulesCommand::Enable { rule, reason } => switch(&client, &base, *rule, true, reason, args.json).await,
    }
}

async fn switch(
    client: &Client,
    base: &str,
    rule: u32,
    enabled: bool,
    reason: &str,
    json: bool,
) -> Result<ExitCode, Failure> {
    let rules = client.get(base).await?;
    let found = rules["rules"].as_array().into_iter().flatten().find(|r| r["id"] == rule);
    let Some(found) = found else { return Err(format!("there is no rule {rule} in this project").into()) };
    let body =
        json!({"name": found["name"], "enabled": enabled, "reason": reason, "action": found["action"]});
    show_one(&client.put(&format!("{base}/{rule}"), &body).await?, json)
}

fn show_one(rule: &Value, json: bool) -> Result<ExitCode, Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(rule)?);
    } else {
        println!("{}", rules_table(std::slice::from_ref(rule)));
    }
    Ok(ExitCode::SUCCESS)
}

fn show_all(answer: &Value, json: bool) -> Result<ExitCode, Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(answer)?);
    } else {
        println!("{}", rules_table(answer["rules"].as_array().map(Vec::as_slice).unwrap_or_default()));
    }
    Ok(ExitCode::SUCCESS)
}

fn rules_table(rules: &[Value]) -> comfy_table::Table {
    let row = |rule: &Value| {
        let since = rule["in_force"].as_array().and_then(|f| f.first()).map(|f| cell(&f["position"]));
        let enabled = if rule["enabled"] == true { "on" } else { "off" };
        vec![
            cell(&rule["id"]),
            cell(&rule["version"]),
            cell(&rule["name"]),
            enabled.to_owned(),
            cell(&rule["state"]),
            since.unwrap_or_else(|| "–".to_owned()),
            cell(&rule["action"]),
        ]
    };
    table(&["rule", "version", "name", "", "state", "since", "does"], rules.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_does_one_kind_of_thing() {
        let text = |s: &str| vec![s.to_owned()];
        let drop = ActionArgs {
            drop: text("Play"),
            conditions: text(r#"{"property":"bot","op":"is","value":true}"#),
            ..ActionArgs::default()
        };
        let json = drop.json().unwrap();
        assert_eq!((&json["type"], &json["conditions"][0]["property"]), (&json!("drop"), &json!("bot")));
        assert!(ActionArgs::default().json().is_err());
        let both = ActionArgs { block_user: text("u"), ..drop.clone() };
        assert!(both.json().unwrap_err().to_string().contains("several"));
        let bad = ActionArgs { conditions: text("{"), ..ActionArgs::default() };
        assert!(bad.json().unwrap_err().to_string().contains("--where"));
    }
}
