//! The configuration file: what it takes, what it refuses, what it never shows.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use tallymark_monitor::WatchConfig;
use tallymark_monitor::config::Audience;

const GOOD: &str = r#"
every_seconds = 2

[thresholds]
freshness_critical_s = 120.0

[incidents]
quiet_minutes = 5.0

[alerts]
allow_networks = ["10.0.0.0/8"]
link_base = "https://tm.example.org"

[[alerts.channels]]
name = "pager"
target = { webhook = { url = "https://hooks.example.org/hidden-path", secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] } }

[[alerts.channels]]
name = "chat"
level = 1
severity = "critical"
target = { slack = { url = "https://hooks.slack.example/hidden-path" } }

[[alerts.channels]]
name = "followers"
audience = "subscribers"
[alerts.channels.target.email]
host = "mail.example.org"
port = 465
tls = "implicit"
username = "tm"
password = "hidden-password"
from = "Status <status@example.org>"
to = ["list@example.org"]

[public]
name = "Example"
show_counts = true
hidden_components = ["alerts"]
component_names = { queries = "Dashboards" }
"#;

#[test]
fn everything_can_be_set_and_secrets_are_not_shown() {
    let config = WatchConfig::from_toml(GOOD).unwrap();
    assert_eq!((config.every_seconds, config.thresholds.freshness_critical_s), (2, 120.0));
    assert_eq!(
        (config.alerts.channels[1].level, config.alerts.channels[2].audience),
        (1, Audience::Subscribers)
    );
    assert_eq!(config.thresholds.lag_warning_s, WatchConfig::default().thresholds.lag_warning_s);
    for shown in
        [format!("{config:?}"), serde_json::to_string(&config).unwrap(), toml::to_string(&config).unwrap()]
    {
        assert!(!shown.contains("hidden-") && !shown.contains("MfKQ9r8G"), "{shown}");
        assert!(shown.contains("[redacted]"));
    }
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(WatchConfig::from_toml("").unwrap(), WatchConfig::default());
}

#[test]
fn what_cannot_work_is_refused_with_its_place_and_without_its_secrets() {
    for (from, to) in [
        ("every_seconds = 2", "every_seconds = 0"),
        ("every_seconds = 2", "evry_seconds = 2"),
        ("freshness_critical_s", "freshnes_critical_s"),
        ("10.0.0.0/8", "10.0.0.0/64"),
        ("name = \"chat\"", "name = \"pager\""),
        ("https://hooks.example.org/hidden-path", "ftp://hooks.example.org/hidden-path"),
        ("https://hooks.slack.example/hidden-path", "https://user@hooks.slack.example/hidden-path"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "short-hidden"),
        ("password = \"hidden-password\"", "password = \"env:TALLYMARK_TEST_UNSET\"\ntls_off = true"),
        ("tls = \"implicit\"", "tls = \"none\""),
        ("list@example.org", "nobody"),
        ("queries = \"Dashboards\"", "querys = \"Dashboards\""),
        ("hidden_components = [\"alerts\"]", "hidden_components = [\"everything\"]"),
    ] {
        let text = GOOD.replace(from, to);
        assert_ne!(text, GOOD, "{from}");
        let refused = WatchConfig::from_toml(&text).expect_err(to).to_string();
        assert!(!refused.contains("hidden-"), "{refused}");
        assert!(refused.starts_with("watch configuration, "), "{refused}");
    }
}

#[test]
fn the_example_in_the_runbooks_can_be_used() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/runbooks/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    // What it reads from the environment is not there in a test.
    let example = example
        .replace("env:TALLYMARK_PAGER_URL", "https://hooks.example.org/x")
        .replace("env:TALLYMARK_PAGER_SECRET", "a secret that is long enough")
        .replace("env:TALLYMARK_SLACK_URL", "https://hooks.slack.example/x");
    let config = WatchConfig::from_toml(&example).unwrap();
    assert_eq!(config.alerts.channels.len(), 4);
}
