//! The house stays as drawn: the crate table of ARCHITECTURE.md against what cargo builds, the dependencies
//! that only certain crates may have, and the shape of source files.
//!
//! When this fails, either the change is a mistake, or the table is out of date: change it on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Third-party crates that only these crates of ours may name.
const QUARANTINE: &[(&str, &[&str])] = &[
    // The status page works while the catalog is gone, so the watch has a file of its own.
    ("sqlx", &["catalog", "monitor"]),
    ("axum", &["collector", "api", "server"]),
    // Vacuum reads what others wrote; nothing but `store` writes.
    ("parquet", &["store", "vacuum"]),
    ("object_store", &["store"]),
    ("arrow", &["store", "query", "insights", "compactor", "auditor", "processor", "server"]),
    ("rdkafka", &["log"]),
    ("datafusion", &["sql"]),
    ("libc", &["log", "server"]),
    // An hour of building that everything but the binary does without.
    ("tallymark-sql", &["server"]),
];

/// What a process that must accept events while everything else is broken must not contain.
const NOT_IN_THE_COLLECTOR: &[&str] = &[
    "tallymark-catalog",
    "tallymark-state",
    "tallymark-store",
    "tallymark-query",
    "tallymark-processor",
    "sqlx",
    "libsqlite3-sys",
    "parquet",
    "arrow",
];

const LINES_MAX: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(3)
        .expect("crates/test/testkit is in the workspace")
        .into()
}

/// A row of the table.
struct Row {
    folder: String,
    name: String,
    may: BTreeSet<String>,
    never: Vec<String>,
}

fn table() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut rows: Vec<Row> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        inside = line.starts_with('|') && (inside || cells[0] == "crate");
        let Some((layer, name)) = cells[0].split_once('/').filter(|_| inside) else { continue };
        assert_eq!(cells.len(), 4, "row {line}");
        let all =
            |test: &dyn Fn(&Row) -> bool| rows.iter().filter(|r| test(r)).map(|r| r.name.clone()).collect();
        let may: BTreeSet<String> = match cells[2] {
            "everything above" => all(&|r| !r.folder.starts_with("test/")),
            list => {
                let names = list.split(',').map(str::trim).filter(|n| !n.is_empty());
                names
                    .flat_map(|n| match n.split_once("/*") {
                        Some((layer, _)) => all(&|r| r.folder.starts_with(&format!("{layer}/"))),
                        None => BTreeSet::from([n.to_owned()]),
                    })
                    .collect()
            }
        };
        let never = cells[3].split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect();
        rows.push(Row { folder: format!("{layer}/{name}"), name: name.to_owned(), may, never });
    }
    assert!(rows.len() > 5, "ARCHITECTURE.md has no crate table");
    rows
}

fn metadata(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// With the graph of packages, as built for this machine.
fn resolved() -> Value {
    let rustc = Command::new(std::env::var("RUSTC").unwrap_or("rustc".into())).arg("-vV").output().unwrap();
    let version = String::from_utf8(rustc.stdout).unwrap();
    let host = version.lines().find_map(|l| l.strip_prefix("host: ")).expect("rustc names its host");
    metadata(&["--filter-platform", host])
}

/// Per crate of the workspace: its folder under `crates/` and the names of its normal and build dependencies.
fn workspace() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let metadata = metadata(&["--no-deps"]);
    let mut crates = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned();
        let Ok(folder) = manifest.strip_prefix(root().join("crates")) else { continue };
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let shipped =
            dependencies.filter(|d| d["kind"] != "dev").map(|d| d["name"].as_str().unwrap().to_owned());
        let folder = folder.to_str().unwrap().to_owned();
        crates.insert(short(package["name"].as_str().unwrap()).to_owned(), (folder, shipped.collect()));
    }
    crates
}

/// `tallymark-model` -> `model`; the binary's crate may be called like the binary.
fn short(package: &str) -> &str {
    match package.strip_prefix("tallymark-") {
        Some(name) => name,
        None if package == "tallymark" => "cli",
        None => package,
    }
}

/// Everything a package links, by package name, without dev-dependencies.
fn closure(metadata: &Value, package: &str) -> BTreeSet<String> {
    let name_of: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["id"].as_str().unwrap(), p["name"].as_str().unwrap()))
        .collect();
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let linked = node["deps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|dep| dep["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null()));
        edges.insert(node["id"].as_str().unwrap(), linked.map(|d| d["pkg"].as_str().unwrap()).collect());
    }
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> =
        name_of.iter().filter(|(_, name)| **name == package).map(|(id, _)| *id).collect();
    assert!(!open.is_empty(), "no package {package}");
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(&edges[id]);
        }
    }
    found.into_iter().map(|id| name_of[id].to_owned()).filter(|n| n != package).collect()
}

#[test]
fn the_crate_table_is_what_cargo_builds() {
    let (rows, crates) = (table(), workspace());
    let listed: BTreeSet<&str> = rows.iter().map(|r| r.name.as_str()).collect();
    let built: BTreeSet<&str> = crates.keys().map(String::as_str).collect();
    assert_eq!(listed, built, "ARCHITECTURE.md (left) and the workspace (right) list different crates");
    for row in &rows {
        let (folder, dependencies) = &crates[&row.name];
        assert_eq!(&row.folder, folder, "folder of {}", row.name);
        for dependency in dependencies.iter().map(|d| short(d)).filter(|d| built.contains(d)) {
            assert!(
                row.may.contains(dependency),
                "{} uses {dependency}, but ARCHITECTURE.md allows only {:?}",
                row.folder,
                row.may
            );
        }
    }
}

#[test]
fn dependencies_run_one_way() {
    let mut above = BTreeSet::new();
    for row in table() {
        let unknown: Vec<_> = row.may.difference(&above).collect();
        assert!(unknown.is_empty(), "{} may use {unknown:?}, which stand below it in the table", row.folder);
        above.insert(row.name);
    }
}

#[test]
fn what_must_never_be_linked_is_not() {
    let metadata = resolved();
    let (rows, crates) = (table(), workspace());
    let ours: BTreeSet<&str> = rows.iter().map(|r| r.name.as_str()).collect();
    for row in &rows {
        let package = metadata["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["name"].as_str().unwrap())
            .find(|name| short(name) == row.name && (name.starts_with("tallymark") || *name == row.name))
            .unwrap();
        let linked = closure(&metadata, package);
        for never in &row.never {
            let forbidden: Vec<&String> = match never.as_str() {
                "any other crate of ours" => linked.iter().filter(|l| l.starts_with("tallymark")).collect(),
                "I/O" => {
                    linked.iter().filter(|l| ["tokio", "mio", "socket2"].contains(&l.as_str())).collect()
                }
                // Directly: `api` reaches `store` through `query`, which is what `query` is for.
                name if ours.contains(name) => {
                    crates[&row.name].1.iter().filter(|d| short(d) == name).collect()
                }
                third_party => linked.iter().filter(|l| *l == third_party).collect(),
            };
            assert!(forbidden.is_empty(), "{} must never use {never}, but links {forbidden:?}", row.folder);
        }
    }
}

#[test]
fn core_reads_no_files_and_opens_no_sockets() {
    for path in sources().iter().filter(|p| p.starts_with(root().join("crates/core")) && is_shipped(p)) {
        let text = std::fs::read_to_string(path).unwrap();
        for io in ["std::fs", "std::net", "std::process", "SystemTime::now", "Instant::now", "tokio::"] {
            assert!(!text.contains(io), "{}: {io} in core", path.display());
        }
    }
}

#[test]
fn collecting_does_not_need_the_rest() {
    let linked = closure(&resolved(), "tallymark-collector");
    assert!(linked.contains("tallymark-log"), "the closure is not one");
    let found: Vec<_> = NOT_IN_THE_COLLECTOR.iter().filter(|n| linked.contains(**n)).collect();
    assert!(found.is_empty(), "the collector links {found:?}");
}

#[test]
fn only_the_binary_links_the_engine_of_sql() {
    let metadata = resolved();
    for (name, (_, dependencies)) in workspace() {
        let package = if name == "cli" { "tallymark".to_owned() } else { format!("tallymark-{name}") };
        if ["sql", "server", "cli"].contains(&name.as_str()) || dependencies.contains("tallymark-server") {
            continue;
        }
        let known = metadata["packages"].as_array().unwrap().iter().any(|p| p["name"] == package.as_str());
        assert!(!known || !closure(&metadata, &package).contains("datafusion"), "{name} links DataFusion");
    }
}

#[test]
fn heavy_libraries_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (name, (_, dependencies)) in workspace() {
        for (library, allowed) in QUARANTINE.iter().filter(|(library, _)| dependencies.contains(*library)) {
            if !allowed.contains(&name.as_str()) {
                wrong.push(format!("{name} uses {library}; only {allowed:?} may"));
            }
        }
        assert!(!dependencies.contains("tallymark-testkit"), "{name} ships the testkit");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_file_opens_with_its_purpose_and_stays_small() {
    let mut wrong = Vec::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.starts_with("//!") {
            wrong.push(format!("{}: does not begin with `//!`", path.display()));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines} lines, more than {LINES_MAX}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_shipped(path: &Path) -> bool {
    path.components().any(|c| c.as_os_str() == "src")
}

/// Every Rust file under `crates/`.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join("crates")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 50, "sources are elsewhere");
    found
}
