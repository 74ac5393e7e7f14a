//! Lists as CSV for spreadsheets (S8).
//!
//! Guarantees: RFC 4180 quoting; a cell that a spreadsheet would take for a formula starts with an apostrophe
//! instead, unless raw cells were asked for by name.
//! Deliberately not here: which lists there are.

use serde_json::Value;
use tallymark_model::canonical_text;

/// One table: the columns' names, then a row per item.
pub(crate) fn table(columns: &[&str], items: &[Value], raw: bool) -> String {
    let mut out = String::new();
    row(&mut out, columns.iter().map(|c| (*c).to_owned()), raw);
    for item in items {
        row(&mut out, columns.iter().map(|c| text(&item[*c])), raw);
    }
    out
}

fn text(value: &Value) -> String {
    canonical_text(value)
}

fn row(out: &mut String, cells: impl Iterator<Item = String>, raw: bool) {
    for (i, cell) in cells.enumerate() {
        if i > 0 {
            out.push(',');
        }
        let cell = if !raw && is_formula(&cell) { format!("'{cell}") } else { cell };
        if cell.contains([',', '"', '\n', '\r']) || cell.starts_with(' ') || cell.ends_with(' ') {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&cell);
        }
    }
    out.push_str("\r\n");
}

/// Starts with a character that makes spreadsheets compute, including the full-width forms; plain numbers do not
/// count.
fn is_formula(cell: &str) -> bool {
    let starts = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    starts && cell.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn formulas_are_disarmed_and_numbers_are_not() {
        let items = [
            json!({"a": "=HYPERLINK(\"x\",\"y\")", "b": -1.5}),
            json!({"a": "+cmd|' /C calc'!A0", "b": "-2+3"}),
            json!({"a": "@SUM(A1)", "b": "＝1"}),
            json!({"a": "plain, \"quoted\"\nline", "b": null}),
            json!({"a": "\t=1", "b": {"k": [1]}}),
        ];
        let lines = table(&["a", "b"], &items, false);
        assert_eq!(
            lines,
            "a,b\r\n\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\",-1.5\r\n'+cmd|' /C calc'!A0,'-2+3\r\n'@SUM(A1),'＝1\r\n\
             \"plain, \"\"quoted\"\"\nline\",\r\n'\t=1,\"{\"\"k\"\":[1]}\"\r\n"
        );
        assert!(table(&["a"], &items[1..2], true).contains("\r\n+cmd"));
    }
}
