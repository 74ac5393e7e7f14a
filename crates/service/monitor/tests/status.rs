//! The forms of the status page against what tools expect of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use instance::{Instance, MINUTE};
use serde_json::Value;
use tallymark_model::Millis;
use tallymark_monitor::status::{self, StatusPage};
use tallymark_monitor::store::Maintenance;
use tallymark_monitor::{Component, WatchConfig};

/// A page with an incident that is open, one that is over, and a window of each state.
async fn page() -> (Instance, StatusPage) {
    let mut config = WatchConfig::default();
    config.public.name = "Example <&> Analytics".to_owned();
    config.public.url = "https://status.example.org/".to_owned();
    let mut i = Instance::start(config).await;
    for (title, from) in [("Past", -2 * 60), ("Now", -5), ("Later", 120)] {
        let starts_at = i.now() + from * MINUTE;
        let window = Maintenance {
            id: String::new(),
            title: title.to_owned(),
            text: "Why <b>not</b>".to_owned(),
            components: vec![Component::Backups],
            starts_at,
            ends_at: starts_at + 90 * MINUTE,
            by: "ada".to_owned(),
            created_at: i.now() - 300 * MINUTE,
        };
        i.store.put_maintenance(&window).await.unwrap();
    }
    i.well();
    i.late(10 * MINUTE);
    i.pass(MINUTE).await;
    i.well();
    i.pass(80 * MINUTE).await;
    i.late(2 * MINUTE);
    i.pass(10_000).await;
    let page = StatusPage::load(&i.store, &i.config.public, i.now()).await.unwrap();
    (i, page)
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn is_instant(value: &Value) -> bool {
    let text = value.as_str().unwrap();
    text.len() == "2026-11-21T06:00:00.000Z".len() && text.ends_with('Z')
}

#[tokio::test]
async fn json_has_the_shape_of_statuspage() {
    let (_i, page) = page().await;
    let summary = status::summary(&page);
    assert_eq!(keys(&summary), ["components", "incidents", "page", "scheduled_maintenances", "status"]);
    assert_eq!(keys(&summary["page"]), ["id", "name", "time_zone", "updated_at", "url"]);
    assert_eq!(summary["page"]["url"], "https://status.example.org");
    assert_eq!(summary["status"]["indicator"], "minor");
    assert_eq!(summary["status"]["description"], "Partially Degraded Service");
    let component = &summary["components"][1];
    for key in [
        "id",
        "name",
        "status",
        "created_at",
        "updated_at",
        "position",
        "description",
        "showcase",
        "group_id",
        "page_id",
        "group",
        "only_show_if_degraded",
    ] {
        assert!(component.get(key).is_some(), "{key}");
    }
    assert_eq!(
        (&component["id"], &component["status"]),
        (&"processing".into(), &"degraded_performance".into())
    );
    assert_eq!((&component["group"], &component["components"][0]), (&true.into(), &"lane-live".into()));
    assert_eq!(summary["components"][2]["group_id"], "processing");
    let backups = summary["components"].as_array().unwrap().iter().find(|c| c["id"] == "backups").unwrap();
    assert_eq!(backups["status"], "under_maintenance");

    let incident = &summary["incidents"][0];
    for key in [
        "id",
        "name",
        "status",
        "created_at",
        "updated_at",
        "monitoring_at",
        "resolved_at",
        "impact",
        "shortlink",
        "started_at",
        "page_id",
        "incident_updates",
        "components",
    ] {
        assert!(incident.get(key).is_some(), "{key}");
    }
    assert_eq!((&incident["status"], &incident["impact"]), (&"investigating".into(), &"minor".into()));
    assert_eq!(incident["incident_updates"][0]["body"], "Data is late.");
    assert_eq!(incident["components"][0]["id"], "processing");
    for instant in [
        &incident["created_at"],
        &incident["incident_updates"][0]["display_at"],
        &summary["page"]["updated_at"],
    ] {
        assert!(is_instant(instant), "{instant}");
    }
}

#[tokio::test]
async fn each_document_holds_what_its_name_says() {
    let (_i, page) = page().await;
    let names = |value: &Value, list: &str| -> Vec<String> {
        value[list].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&status::incidents(&page), "incidents").len(), 2);
    let all = status::incidents(&page);
    assert_eq!(all["incidents"][1]["status"], "resolved");
    assert_eq!(all["incidents"][1]["incident_updates"][0]["status"], "resolved");
    assert!(is_instant(&all["incidents"][1]["resolved_at"]));
    assert_eq!(names(&status::unresolved(&page), "incidents"), ["Data is late"]);
    let windows = "scheduled_maintenances";
    assert_eq!(names(&status::maintenances(&page), windows), ["Later", "Now", "Past"]);
    assert_eq!(names(&status::maintenances_upcoming(&page), windows), ["Later"]);
    assert_eq!(names(&status::maintenances_active(&page), windows), ["Now"]);
    assert_eq!(names(&status::summary(&page), windows), ["Later", "Now"]);
    let window = &status::maintenances_active(&page)[windows][0];
    assert_eq!((&window["status"], &window["impact"]), (&"in_progress".into(), &"maintenance".into()));
    assert!(is_instant(&window["scheduled_for"]) && is_instant(&window["scheduled_until"]));
    assert_eq!(keys(&status::status(&page)), ["page", "status"]);
    assert_eq!(keys(&status::components(&page)), ["components", "page"]);
}

#[tokio::test]
async fn feeds_can_be_read_by_others() {
    let (_i, page) = page().await;
    let rss: rss::Channel = status::rss(&page).parse().unwrap();
    assert_eq!((rss.title.as_str(), rss.items.len()), ("Example <&> Analytics status", 5));
    let item = rss.items.iter().find(|i| i.title.as_deref() == Some("Data is late")).unwrap();
    assert!(item.pub_date.as_deref().unwrap().starts_with("Sat, 21 Nov 2026 0"));
    assert!(item.link.as_deref().unwrap().starts_with("https://status.example.org/status/incidents/"));
    let atom: atom_syndication::Feed = status::atom(&page).parse().unwrap();
    assert_eq!((atom.title.value.as_str(), atom.entries.len()), ("Example <&> Analytics status", 5));
    let window = atom.entries.iter().find(|e| e.title.value == "Maintenance: Now").unwrap();
    assert!(window.content.as_ref().unwrap().value.as_ref().unwrap().contains("Why <b>not</b>"));
    // Ids stay, times move: a reader shows what has changed.
    let mut ids: Vec<&str> = atom.entries.iter().map(|e| e.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5);
    assert!(atom.entries.windows(2).all(|e| e[0].updated >= e[1].updated));
}

#[tokio::test]
async fn a_window_must_make_sense() {
    let i = Instance::start(WatchConfig::default()).await;
    let good = Maintenance {
        id: String::new(),
        title: "x".to_owned(),
        text: String::new(),
        components: vec![Component::Queries],
        starts_at: 10,
        ends_at: 20,
        by: String::new(),
        created_at: 0,
    };
    for bad in [
        Maintenance { ends_at: 10, ..good.clone() },
        Maintenance { title: "  ".to_owned(), ..good.clone() },
        Maintenance { components: vec![], ..good.clone() },
    ] {
        assert!(i.store.put_maintenance(&bad).await.is_err());
    }
    let id = i.store.put_maintenance(&good).await.unwrap();
    let moved = Maintenance { id: id.clone(), ends_at: 30, ..good };
    assert_eq!(i.store.put_maintenance(&moved).await.unwrap(), id);
    assert_eq!(i.store.maintenance(25 as Millis).await.unwrap(), [moved]);
    assert!(i.store.delete_maintenance(&id).await.unwrap());
    assert!(!i.store.delete_maintenance(&id).await.unwrap());
}
