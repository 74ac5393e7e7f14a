//! How the CLI shows things: bars on a terminal, tables for people, JSON for programs.

use crate::import::ImportReport;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

/// A bar that counts steps of this name.
pub fn bar(unit: &str) -> ProgressBar {
    styled(&format!("{{bar:32}} {{pos}}/{{len}} {unit}  {{msg}}"))
}

/// A bar that counts bytes.
pub fn bytes_bar() -> ProgressBar {
    styled("{bar:32} {bytes}/{total_bytes}  {msg}  {eta}")
}

/// A bar for a job whose unit comes with its progress.
pub fn job_bar() -> ProgressBar {
    styled("{bar:32} {human_pos}/{human_len} {msg}")
}

/// A JSON value on one line: long lists as their length.
pub fn brief(value: &Value) -> String {
    match value {
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) if items.len() > 5 => format!("{} entries", items.len()),
        Value::Array(_) | Value::Object(_) => value.to_string(),
        scalar => cell(scalar),
    }
}

/// The report of an import.
pub fn import_report(report: &ImportReport, json: bool) -> Result<(), serde_json::Error> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    for event in &report.sample {
        println!("{event}");
    }
    println!(
        "{} rows: {} sent, {} sent before, {} rejected",
        group(report.rows),
        group(report.sent),
        group(report.skipped),
        group(report.rejected)
    );
    for (line, why) in &report.rejects {
        println!("  line {line}: {why}");
    }
    Ok(())
}

/// A plain table; number columns are right-aligned.
pub fn table(header: &[&str], rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(header.iter().map(ToString::to_string));
    let numeric: Vec<bool> = (0..header.len())
        .map(|i| !rows.is_empty() && rows.iter().all(|r| r.get(i).is_some_and(|c| looks_numeric(c))))
        .collect();
    for row in rows {
        table.add_row(row);
    }
    for (i, is_number) in numeric.into_iter().enumerate() {
        if let (true, Some(column)) = (is_number, table.column_mut(i)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// `1234567` as `1,234,567`.
pub fn group(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A JSON scalar as a table cell.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(s) => s.clone(),
        Value::Number(n) => match n.as_u64() {
            Some(u) => group(u),
            None => n.as_f64().map_or_else(|| n.to_string(), |f| format!("{f:.3}")),
        },
        other => other.to_string(),
    }
}

/// A JSON scalar as a CSV cell: numbers as they are, nothing for null.
pub fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => csv_safe(text),
        other => other.to_string(),
    }
}

/// A CSV cell that a spreadsheet will not run as a formula.
pub fn csv_safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err() {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn looks_numeric(text: &str) -> bool {
    text == "–" || (!text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || ",.%-".contains(c)))
}

fn styled(template: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("█▉ "));
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            (group(0), group(999), group(1000), group(1234567)),
            ("0".into(), "999".into(), "1,000".into(), "1,234,567".into())
        );
    }

    #[test]
    fn formulas_are_disarmed_but_numbers_stay() {
        assert_eq!(csv_safe("=1+1"), "'=1+1");
        assert_eq!(csv_safe("-5.2"), "-5.2");
        let row = [
            serde_json::json!("Doe, Jane"),
            serde_json::json!(1234567),
            Value::Null,
            serde_json::json!(0.12345),
        ];
        assert_eq!(
            row.map(|v| csv_cell(&v)),
            ["Doe, Jane", "1234567", "", "0.12345"],
            "a cell is not rounded or cut"
        );
    }
}
