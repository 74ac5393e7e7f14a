//! `tallymark sql`: one read-only statement, answered as a table, JSON or CSV.

use crate::Failure;
use crate::client::{Client, path_segment};
use crate::query::Format;
use crate::show;
use serde_json::{Value, json};
use std::process::ExitCode;

/// What to ask.
#[derive(Debug, Clone, clap::Args)]
pub struct SqlArgs {
    /// The statement; `-` = standard input.
    pub sql: String,
    /// Project, by id or name.
    #[arg(long)]
    pub project: String,
    /// The next of `$1`, `$2`, …: a JSON number, true, false or null; anything else is text.
    #[arg(long = "param", value_name = "VALUE", allow_hyphen_values = true)]
    pub params: Vec<String>,
    /// Most rows.
    #[arg(long)]
    pub limit: Option<u32>,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Show the plan and what would be read instead of the answer.
    #[arg(long)]
    pub explain: bool,
}

/// Runs the statement and prints the answer.
pub async fn run(args: &SqlArgs, client: &Client) -> Result<ExitCode, Failure> {
    let text = if args.sql == "-" { std::io::read_to_string(std::io::stdin())? } else { args.sql.clone() };
    let mut query = json!({"type": "sql", "sql": text, "params": params(&args.params)});
    if let Some(limit) = args.limit {
        query["limit"] = json!(limit);
    }
    let verb = if args.explain { "query/explain" } else { "query" };
    let path = format!("/api/v1/projects/{}/{verb}", path_segment(&args.project));
    let answer = client.post(&path, &query).await?;
    if args.explain && args.format != Format::Json {
        println!("{}", answer["plan"].as_str().unwrap_or_default().trim_end());
        for scan in answer["scans"].as_array().into_iter().flatten() {
            println!("{}", serde_json::to_string_pretty(scan)?);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (header, rows) = cells(&answer);
    match args.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&answer)?),
        Format::Csv => {
            let mut out = csv::Writer::from_writer(std::io::stdout());
            out.write_record(header.iter().map(|h| show::csv_safe(h)))?;
            for row in rows {
                out.write_record(row.iter().map(|c| show::csv_safe(&plain(c))))?;
            }
            out.flush()?;
        }
        Format::Table => {
            let header: Vec<&str> = header.iter().map(String::as_str).collect();
            let rows = rows.into_iter().map(|row| row.iter().map(plain).collect()).collect();
            println!("{}", show::table(&header, rows));
            if let Some(until) = answer["complete_through"].as_str() {
                println!("complete through {until}");
            }
        }
    }
    if answer["truncated"] == true {
        eprintln!("there are more rows: --limit gives up to 100000");
    }
    Ok(ExitCode::SUCCESS)
}

/// Values of parameters; text that looks like a number is given as JSON text: `--param '"7"'`.
fn params(given: &[String]) -> Vec<Value> {
    let one = |text: &String| match serde_json::from_str(text) {
        Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))) => value,
        _ => json!(text),
    };
    given.iter().map(one).collect()
}

fn cells(answer: &Value) -> (Vec<String>, Vec<Vec<Value>>) {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let header = list(&answer["columns"]).iter().map(|c| plain(&c["name"])).collect();
    (header, list(&answer["rows"]).iter().map(list).collect())
}

/// As it is: what a statement computed is not made prettier.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_json_where_they_are_json() {
        let given = ["7", "-1.5", "true", "null", "\"7\"", "buy", "[1]", "it's"].map(str::to_owned);
        assert_eq!(
            params(&given),
            [
                json!(7),
                json!(-1.5),
                json!(true),
                json!(null),
                json!("7"),
                json!("buy"),
                json!("[1]"),
                json!("it's")
            ]
        );
    }

    #[test]
    fn cells_are_shown_as_they_are() {
        let answer =
            json!({"columns": [{"name": "n", "type": "integer"}], "rows": [[12345], [null], [["a", 1]]]});
        let (header, rows) = cells(&answer);
        assert_eq!(header, ["n"]);
        let shown: Vec<String> = rows.iter().map(|r| plain(&r[0])).collect();
        assert_eq!(shown, ["12345", "", "[\"a\",1]"]);
    }
}
