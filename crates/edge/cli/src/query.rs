//! `tallymark query`: one query document, answered as a table, JSON or CSV.

use crate::Failure;
use crate::client::{Client, path_segment};
use crate::show;
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;

/// What to ask.
#[derive(Debug, Clone, clap::Args)]
pub struct QueryArgs {
    /// File with the query as JSON; `-` = standard input.
    pub file: PathBuf,
    /// Project, by id or name.
    #[arg(long)]
    pub project: String,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Show what would be read instead of the answer.
    #[arg(long)]
    pub explain: bool,
}

/// Output forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}

/// Runs the query and prints the answer.
pub async fn run(args: &QueryArgs, client: &Client) -> Result<ExitCode, Failure> {
    let text = if args.file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(&args.file).map_err(|e| format!("{}: {e}", args.file.display()))?
    };
    let query: Value = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", args.file.display()))?;
    let verb = if args.explain { "query/explain" } else { "query" };
    let path = format!("/api/v1/projects/{}/{verb}", path_segment(&args.project));
    let answer = client.post(&path, &query).await?;
    if args.explain || args.format == Format::Json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(ExitCode::SUCCESS);
    }
    let (header, rows) = tabulate(query["type"].as_str().unwrap_or_default(), &answer);
    match args.format {
        Format::Csv => {
            let mut out = csv::Writer::from_writer(std::io::stdout());
            out.write_record(header.iter().map(|h| show::csv_safe(h)))?;
            for row in rows {
                out.write_record(row.iter().map(|c| show::csv_safe(&c.replace(',', ""))))?;
            }
            out.flush()?;
        }
        _ => {
            println!("{}", show::table(&header.iter().map(String::as_str).collect::<Vec<_>>(), rows));
            if let Some(until) = answer["complete_through"].as_str() {
                println!("complete through {until}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Header and rows of an answer.
fn tabulate(kind: &str, answer: &Value) -> (Vec<String>, Vec<Vec<String>>) {
    match kind {
        "segmentation" => series_table(answer),
        "funnel" => funnel_table(answer),
        "retention" => retention_table(answer),
        _ => (vec!["answer".to_owned()], vec![vec![answer.to_string()]]),
    }
}

fn series_table(answer: &Value) -> (Vec<String>, Vec<Vec<String>>) {
    let mut header = vec!["bucket".to_owned()];
    let series = list(&answer["series"]);
    for s in series {
        let mut name = show::cell(&s["key"]);
        if let Some(values) = s["breakdown"].as_array() {
            name = format!("{name}: {}", values.iter().map(show::cell).collect::<Vec<_>>().join(", "));
        }
        header.push(name);
    }
    let mut rows: Vec<Vec<String>> = list(&answer["buckets"])
        .iter()
        .enumerate()
        .map(|(i, b)| {
            std::iter::once(show::cell(b)).chain(series.iter().map(|s| show::cell(&s["values"][i]))).collect()
        })
        .collect();
    rows.push(
        std::iter::once("total".to_owned()).chain(series.iter().map(|s| show::cell(&s["total"]))).collect(),
    );
    (header, rows)
}

fn funnel_table(answer: &Value) -> (Vec<String>, Vec<Vec<String>>) {
    let groups: Vec<(String, &Value)> = match answer["groups"].as_array() {
        Some(groups) => groups.iter().map(|g| (show::cell(&g["breakdown"]), g)).collect(),
        None => vec![(String::new(), answer)],
    };
    let mut rows = Vec::new();
    for (name, group) in groups {
        let counts: Vec<f64> = list(&group["counts"]).iter().filter_map(Value::as_f64).collect();
        for (i, count) in counts.iter().enumerate() {
            let share = |base: f64| {
                if base > 0.0 { format!("{:.1}%", 100.0 * count / base) } else { "–".to_owned() }
            };
            let before = if i == 0 { *count } else { counts[i - 1] };
            let median = if i == 0 { Value::Null } else { group["step_times"][i]["median_s"].clone() };
            rows.push(vec![
                name.clone(),
                (i + 1).to_string(),
                show::group(*count as u64),
                share(before),
                share(counts[0]),
                show::cell(&median),
            ]);
        }
    }
    let header = ["group", "step", "people", "of previous", "of first", "median s"];
    (header.map(str::to_owned).to_vec(), rows)
}

fn retention_table(answer: &Value) -> (Vec<String>, Vec<Vec<String>>) {
    let cohorts = list(&answer["cohorts"]);
    let periods = cohorts.iter().map(|c| list(&c["values"]).len()).max().unwrap_or(0);
    let header = ["cohort".to_owned(), "size".to_owned()]
        .into_iter()
        .chain((0..periods).map(|k| k.to_string()))
        .collect();
    let rows = cohorts
        .iter()
        .map(|c| {
            let cells = (0..periods).map(|k| show::cell(&c["values"][k]));
            [show::cell(&c["cohort"]), show::cell(&c["size"])].into_iter().chain(cells).collect()
        })
        .collect();
    (header, rows)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_funnel_reads_as_steps() {
        let (_, rows) =
            tabulate("funnel", &json!({"counts": [200, 50], "step_times": [null, {"median_s": 60.0}]}));
        assert_eq!(rows[1], ["", "2", "50", "25.0%", "25.0%", "60.000"]);
    }

    #[test]
    fn a_trend_has_a_row_per_bucket_and_the_total() {
        let answer = json!({"buckets": ["2026-01-01", "2026-01-02"], "series": [{"key": "A", "values": [1, null], "total": 1}]});
        let (header, rows) = tabulate("segmentation", &answer);
        assert_eq!(header, ["bucket", "A"]);
        assert_eq!(rows, [["2026-01-01", "1"], ["2026-01-02", "–"], ["total", "1"]]);
    }
}
