//! Settings as they are stored and read again, by older versions, this one, and one without the key.

use super::*;
use serde_json::json;

fn key() -> (tempfile::TempDir, SealKey) {
    let dir = tempfile::tempdir().unwrap();
    let key = SealKey::of(dir.path()).unwrap();
    (dir, key)
}

const PLAIN: [&str; 5] = [
    "https://hooks.example/abc",
    "a-signing-key-of-16",
    "and-another-of-1616",
    "https://slack.example/T1",
    "hunter22",
];

fn alerts() -> tallymark_model::Value {
    json!({"channels": [
        {"name": "pager", "target": {"webhook": {"url": PLAIN[0], "secrets": [PLAIN[1], PLAIN[2]]}}},
        {"name": "chat", "target": {"slack": {"url": PLAIN[3]}}},
        {"name": "mail", "target": {"email": {"host": "mx", "port": 587, "username": "ops", "password": PLAIN[4],
            "from": "a@example.org", "to": ["b@example.org"]}}},
        {"name": "elsewhere", "target": {"slack": {"url": "env:HOOK"}}},
    ]})
}

#[test]
fn every_secret_is_sealed_once_and_opens_to_what_it_was() {
    let (_dir, key) = key();
    let mut stored = alerts();
    assert!(seal_alerts(&mut stored, &key).unwrap());
    let text = stored.to_string();
    for plain in PLAIN {
        assert!(!text.contains(plain), "{text}");
    }
    assert!(text.contains("env:HOOK") && text.contains("b@example.org") && text.contains("\"ops\""));
    let once = stored.clone();
    assert!(!seal_alerts(&mut stored, &key).unwrap());
    assert_eq!(stored, once, "what is sealed stays as it is");
    assert_eq!(open_alerts(&mut stored, Some(&key)), []);
    assert_eq!(stored, alerts());
    let mut old = alerts();
    assert_eq!(open_alerts(&mut old, Some(&key)), [], "plain values of older versions are read");
    assert_eq!(old, alerts());
}

#[test]
fn without_the_key_settings_stay_and_the_channels_are_named() {
    let ((_a, key), (_b, other)) = (key(), key());
    let mut stored = alerts();
    seal_alerts(&mut stored, &key).unwrap();
    let before = stored.clone();
    let locked = open_alerts(&mut stored, Some(&other));
    assert_eq!(stored, before);
    let names: Vec<&str> = locked.iter().map(|l| l.channel.as_str()).collect();
    assert_eq!(names, ["pager", "chat", "mail"]);
    assert!(locked[0].reason.contains("type the secret again"));
    assert_eq!(open_alerts(&mut stored, None).len(), 3, "a key that cannot be read");
    let config: AlertConfig = serde_json::from_value(stored).unwrap();
    let Target::Slack(chat) = &config.channels[1].target else { panic!() };
    assert!(chat.url.reveal().is_err(), "nothing is sent to or with what is sealed");
    assert!(config.check().is_err());
}

#[test]
fn channels_that_cannot_send_are_left_out_and_named_and_the_others_stay() {
    let ((_a, key), (_b, other)) = (key(), key());
    let mut stored = alerts();
    seal_alerts(&mut stored, &key).unwrap();
    let plain = serde_json::json!({"name": "plain", "target": {"slack": {"url": "https://hooks.example/x"}}});
    stored["channels"].as_array_mut().unwrap().push(plain);
    let locked = open_alerts(&mut stored, Some(&other));
    let mut config: AlertConfig = serde_json::from_value(stored).unwrap();
    let unusable = config.take_unusable(locked);
    let names: Vec<&str> = unusable.iter().map(|l| l.channel.as_str()).collect();
    assert_eq!(names, ["pager", "chat", "mail", "elsewhere"]);
    assert!(unusable[3].reason.contains("the variable is not set"), "{unusable:?}");
    assert_eq!(config.channels.len(), 1);
    assert!(config.check().is_ok(), "what is left can be used");
}

const TOML: &str = r#"
every_seconds = 2 # often
[[alerts.channels]]
name = "pager"   # the one that rings
[alerts.channels.target.webhook]
url = 'https://hooks.example/abc'
secrets = ["a-signing-key-of-16"]
[[alerts.channels]]
name = "mail"
[alerts.channels.target.email]
host = "mx"
port = 25
password = "env:MAIL_PASSWORD"
from = "a@example.org"
to = ["b@example.org"]
"#;

#[test]
fn the_file_keeps_its_comments_and_loses_its_plain_secrets() {
    let ((_a, key), (_b, other)) = (key(), key());
    let sealed = seal_toml(TOML, &key).unwrap().unwrap();
    assert!(!sealed.contains("hooks.example") && !sealed.contains("signing-key"));
    assert!(sealed.contains("# the one that rings") && sealed.contains("env:MAIL_PASSWORD"));
    assert_eq!(seal_toml(&sealed, &key).unwrap(), None, "once");
    let (config, locked) = WatchConfig::from_sealed_toml(&sealed, Some(&key)).unwrap();
    assert_eq!((config, locked), (WatchConfig::from_toml(TOML).unwrap(), vec![]));
    let (config, locked) = WatchConfig::from_sealed_toml(&sealed, Some(&other)).unwrap();
    assert_eq!((config.every_seconds, locked.len()), (2, 1));
    assert_eq!(locked[0].channel, "pager");
    assert!(config.check().is_ok() && config.alerts.channels.iter().all(|c| c.name != "pager"));
    let plain = WatchConfig::from_sealed_toml(TOML, Some(&other)).unwrap();
    assert_eq!(plain, (WatchConfig::from_toml(TOML).unwrap(), vec![]));
}

#[test]
fn a_file_that_cannot_be_rewritten_safely_is_left_alone() {
    let (_dir, key) = key();
    let folded = TOML.replace("'https://hooks.example/abc'", "\"\"\"\nhttps://hooks.example/abc\"\"\"");
    assert!(seal_toml(&folded, &key).is_err());
    assert_eq!(seal_toml("every_seconds = 2", &key).unwrap(), None);
    assert!(seal_toml("every_seconds = \"x\"", &key).is_err());
}
