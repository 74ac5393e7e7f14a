//! Answers as tables: header and rows of every type of query.
//!
//! Guarantees: an unknown type is shown as its JSON rather than not at all.
//! Deliberately not here: how tables are printed (`show`).

use crate::show;
use serde_json::{Value, json};

/// Names of columns, and rows of scalars.
pub type Rows = (Vec<String>, Vec<Vec<Value>>);

/// Header and rows of an answer.
pub fn tabulate(kind: &str, answer: &Value) -> Rows {
    match kind {
        "segmentation" => series_table(answer),
        "funnel" if answer["buckets"].is_array() => {
            grouped(answer, &["buckets"], |g| by_bucket(g, &["entered", "converted", "rate"]))
        }
        "funnel" => funnel_table(answer),
        "retention" => grouped(answer, &[], retention_table),
        "lifecycle" => by_bucket(answer, &["new", "returning", "resurrecting", "dormant", "pulse"]),
        "sessions" => grouped(answer, &["buckets"], sessions_table),
        "stickiness" => stickiness_table(answer),
        "realtime" => by_bucket(answer, &["totals", "uniques"]),
        "paths" => records(answer, "edges", &["step", "from", "to", "count", "avg_s"]),
        "cohort" => {
            (vec!["member".to_owned()], list(&answer["members"]).iter().map(|m| vec![m.clone()]).collect())
        }
        "composition" => records(answer, "rows", &["breakdown", "actors", "share"]),
        "ltv" => records(answer, "days", &["day", "actors", "payers", "revenue", "arpu", "arppu"]),
        "engagement" => records(answer, "events", &["event", "actors", "x", "y"]),
        "personas" => personas_table(answer),
        "sql" => sql_table(answer),
        _ => (vec!["answer".to_owned()], vec![vec![answer.clone()]]),
    }
}

fn series_table(answer: &Value) -> Rows {
    let mut header = vec!["bucket".to_owned()];
    let series = list(&answer["series"]);
    for s in series {
        let mut name = show::cell(&s["key"]);
        match &s["breakdown"] {
            Value::Null => {}
            Value::Array(values) => {
                name = format!("{name}: {}", values.iter().map(show::cell).collect::<Vec<_>>().join(", "));
            }
            value => name = format!("{name}: {}", show::cell(value)),
        }
        header.push(name);
    }
    let mut rows: Vec<Vec<Value>> = list(&answer["buckets"])
        .iter()
        .enumerate()
        .map(|(i, b)| {
            std::iter::once(b.clone()).chain(series.iter().map(|s| s["values"][i].clone())).collect()
        })
        .collect();
    rows.push(std::iter::once(json!("total")).chain(series.iter().map(|s| s["total"].clone())).collect());
    (header, rows)
}

fn funnel_table(answer: &Value) -> Rows {
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
                json!(name),
                json!(i + 1),
                json!(*count as u64),
                json!(share(before)),
                json!(share(counts[0])),
                median,
            ]);
        }
    }
    let header = ["group", "step", "people", "of previous", "of first", "median s"];
    (header.map(str::to_owned).to_vec(), rows)
}

fn retention_table(answer: &Value) -> Rows {
    let cohorts = list(&answer["cohorts"]);
    let periods = cohorts.iter().map(|c| list(&c["values"]).len()).max().unwrap_or(0);
    let header = ["cohort".to_owned(), "size".to_owned()]
        .into_iter()
        .chain((0..periods).map(|k| k.to_string()))
        .collect();
    let rows = cohorts
        .iter()
        .map(|c| {
            let cells = (0..periods).map(|k| c["values"][k].clone());
            [c["cohort"].clone(), c["size"].clone()].into_iter().chain(cells).collect()
        })
        .collect();
    (header, rows)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The table of an answer, or with `groups` those of the groups below each other; `shared` keys stand beside them.
fn grouped(answer: &Value, shared: &[&str], of: impl Fn(&Value) -> Rows) -> Rows {
    let Some(groups) = answer["groups"].as_array() else { return of(answer) };
    let (mut header, mut rows) = (vec!["group".to_owned()], Vec::new());
    for group in groups {
        let mut group = group.clone();
        for key in shared {
            group[*key] = answer[*key].clone();
        }
        let (names, found) = of(&group);
        header.splice(1.., names);
        let label = json!(show::cell(&group["breakdown"]));
        rows.extend(
            found.into_iter().map(|row| std::iter::once(label.clone()).chain(row).collect::<Vec<_>>()),
        );
    }
    (header, rows)
}

/// A row per bucket, a column per list.
fn by_bucket(answer: &Value, lists: &[&str]) -> Rows {
    let present: Vec<&&str> = lists.iter().filter(|k| answer[**k].is_array()).collect();
    let header = std::iter::once("bucket").chain(present.iter().map(|k| **k)).map(str::to_owned).collect();
    let row = |(i, bucket): (usize, &Value)| {
        let cells = present.iter().map(|k| answer[**k][i].clone());
        std::iter::once(bucket.clone()).chain(cells).collect()
    };
    (header, list(&answer["buckets"]).iter().enumerate().map(row).collect())
}

/// A row per object of a list.
fn records(answer: &Value, key: &str, members: &[&str]) -> Rows {
    let row = |record: &Value| members.iter().map(|m| record[*m].clone()).collect();
    (members.iter().map(|m| (*m).to_owned()).collect(), list(&answer[key]).iter().map(row).collect())
}

const SESSION_LISTS: [&str; 8] =
    ["sessions", "users", "total_s", "avg_s", "median_s", "per_user", "events_per_session", "bounce_rate"];

fn sessions_table(answer: &Value) -> Rows {
    let (header, mut rows) = by_bucket(answer, &SESSION_LISTS);
    if answer["total"].is_object() {
        let cells = header[1..].iter().map(|k| answer["total"][k].clone());
        rows.push(std::iter::once(json!("total")).chain(cells).collect());
    }
    (header, rows)
}

fn stickiness_table(answer: &Value) -> Rows {
    let header = ["buckets active", "actors", "share"].map(str::to_owned).to_vec();
    let row = |(i, count): (usize, &Value)| vec![json!(i + 1), count.clone(), answer["share"][i].clone()];
    (header, list(&answer["counts"]).iter().enumerate().map(row).collect())
}

fn personas_table(answer: &Value) -> Rows {
    let header = ["cluster", "size", "share", "most typical"].map(str::to_owned).to_vec();
    let row = |(i, cluster): (usize, &Value)| {
        let mut events: Vec<&Value> = list(&cluster["events"]).iter().collect();
        let z = |e: &Value| e["z"].as_f64().unwrap_or(f64::MIN);
        events.sort_by(|a, b| z(b).total_cmp(&z(a)));
        let typical: Vec<String> = events.iter().take(3).map(|e| show::cell(&e["event"])).collect();
        vec![json!(i + 1), cluster["size"].clone(), cluster["share"].clone(), json!(typical.join(", "))]
    };
    (header, list(&answer["clusters"]).iter().enumerate().map(row).collect())
}

fn sql_table(answer: &Value) -> Rows {
    let name = |column: &Value| show::cell(column.get("name").unwrap_or(column));
    let row = |row: &Value| list(row).to_vec();
    (list(&answer["columns"]).iter().map(name).collect(), list(&answer["rows"]).iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: &str, answer: &Value) -> Vec<Vec<String>> {
        tabulate(kind, answer).1.iter().map(|row| row.iter().map(show::cell).collect()).collect()
    }

    #[test]
    fn a_funnel_reads_as_steps() {
        let rows = shown("funnel", &json!({"counts": [200, 50], "step_times": [null, {"median_s": 60.0}]}));
        assert_eq!(rows[1], ["", "2", "50", "25.0%", "25.0%", "60.000"]);
    }

    #[test]
    fn a_trend_has_a_row_per_bucket_and_the_total() {
        let answer = json!({"buckets": ["2026-01-01", "2026-01-02"], "series": [{"key": "A", "values": [1, null], "total": 1}]});
        let rows = shown("segmentation", &answer);
        assert_eq!(tabulate("segmentation", &answer).0, ["bucket", "A"]);
        assert_eq!(rows, [["2026-01-01", "1"], ["2026-01-02", "–"], ["total", "1"]]);
    }

    #[test]
    fn lists_by_bucket_become_columns_and_objects_rows() {
        let answer = json!({"buckets": ["2026-01-01"], "new": [3], "returning": [0], "resurrecting": [1], "dormant": [null]});
        let rows = shown("lifecycle", &answer);
        assert_eq!(
            tabulate("lifecycle", &answer).0,
            ["bucket", "new", "returning", "resurrecting", "dormant"]
        );
        assert_eq!(rows, [["2026-01-01", "3", "0", "1", "–"]]);
        let rows = shown("composition", &json!({"rows": [{"breakdown": "pro", "actors": 2, "share": 0.5}]}));
        assert_eq!(rows, [["pro", "2", "0.500"]]);
        let answer = json!({"buckets": ["b1"], "groups": [{"breakdown": "DE", "sessions": [4]}]});
        assert_eq!(tabulate("sessions", &answer).0, ["group", "bucket", "sessions"]);
        assert_eq!(shown("sessions", &answer), [["DE", "b1", "4"]]);
        let groups = json!([{"breakdown": "DE", "entered": [4], "converted": [1], "rate": [0.25]}]);
        let answer = json!({"buckets": ["b1"], "groups": groups});
        assert_eq!(shown("funnel", &answer), [["DE", "b1", "4", "1", "0.250"]]);
        let answer = json!({"buckets": ["b1"], "series": [{"key": "A", "breakdown": "DE", "values": [4], "total": 4}]});
        assert_eq!(tabulate("segmentation", &answer).0, ["bucket", "A: DE"]);
        let (header, rows) =
            tabulate("sql", &json!({"columns": [{"name": "n", "type": "number"}], "rows": [[1], [null]]}));
        assert_eq!((header, rows), (vec!["n".to_owned()], vec![vec![json!(1)], vec![Value::Null]]));
        let rows = shown("stickiness", &json!({"counts": [5, 1], "share": [1.0, 0.2]}));
        assert_eq!(rows[1], ["2", "1", "0.200"]);
    }

    #[test]
    fn a_cluster_is_named_by_what_sets_it_apart() {
        let events = json!([{"event": "view", "z": -1.0}, {"event": "buy", "z": 2.5}]);
        let rows = shown("personas", &json!({"clusters": [{"size": 4, "share": 1.0, "events": events}]}));
        assert_eq!(rows[0][3], "buy, view");
    }
}
