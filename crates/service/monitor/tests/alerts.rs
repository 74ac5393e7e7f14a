//! Alerts against real receivers: what arrives, when, once, signed, and nowhere else.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;
mod receivers;

use instance::{Instance, MINUTE};
use receivers::{Http, Reply, Smtp};
use tallymark_monitor::alerts::{SigningKey, verify};
use tallymark_monitor::config::{
    Audience, ChannelConfig, EmailTarget, EmailTls, Secret, SlackTarget, Target, WatchConfig, WebhookTarget,
};
use tallymark_monitor::store::{DeliveryState, Maintenance};
use tallymark_monitor::{Component, Severity};

const OLD: &str = "an old key that is long enough";
const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn channel(name: &str, level: u8, target: Target) -> ChannelConfig {
    let audience = Audience::Operators;
    ChannelConfig { name: name.to_owned(), level, audience, severity: Severity::Warning, target }
}

fn webhook(receiver: &Http, secrets: &[&str]) -> Target {
    let secrets = secrets.iter().map(|s| Secret::new(*s)).collect();
    Target::Webhook(WebhookTarget { url: Secret::new(receiver.url()), secrets })
}

fn email(server: &Smtp) -> Target {
    Target::Email(EmailTarget {
        host: "127.0.0.1".to_owned(),
        port: server.address.port(),
        tls: EmailTls::None,
        username: None,
        password: None,
        from: "Tallymark <alerts@example.org>".to_owned(),
        to: vec!["ada@example.org".to_owned(), "Grace <grace@example.org>".to_owned()],
    })
}

fn config(channels: Vec<ChannelConfig>) -> WatchConfig {
    let mut config = WatchConfig::default();
    config.alerts.channels = channels;
    config.alerts.allow_networks = vec!["127.0.0.0/8".to_owned()];
    config.alerts.link_base = "https://tm.example.org/".to_owned();
    config
}

#[tokio::test]
async fn a_webhook_says_what_is_wrong_and_is_signed_with_both_keys() {
    let receiver = Http::start().await;
    let mut i = Instance::start(config(vec![channel("pager", 0, webhook(&receiver, &[NEW, OLD]))])).await;
    i.late(10 * MINUTE);
    i.round().await;
    let received = receiver.received();
    assert_eq!(received.len(), 1);
    let (message, body) = (&received[0], received[0].json());
    assert_eq!(message.header("content-type"), "application/json");
    assert_eq!(
        (&body["type"], &body["timestamp"]),
        (&"incident.opened".into(), &"2026-11-21T06:00:00.000Z".into())
    );
    let data = &body["data"];
    assert_eq!(
        (&data["severity"], &data["title"], &data["projects"][0]),
        (&"critical".into(), &"Data is late".into(), &7.into())
    );
    let finding = &data["findings"][0];
    assert!(finding["detail"].as_str().unwrap().contains("topsecret (7)"), "{finding}");
    assert_eq!(finding["runbook"], "https://tm.example.org/docs/runbooks/freshness.md");
    assert_eq!(
        data["link"],
        format!("https://tm.example.org/status/incidents/{}", data["incident"].as_str().unwrap())
    );
    for key in [NEW, OLD] {
        let keys = [SigningKey::new(&Secret::new(key)).unwrap()];
        let (id, time) = (message.header("webhook-id"), message.header("webhook-timestamp"));
        let signature = message.header("webhook-signature");
        assert_eq!(verify(&keys, id, time, signature, &message.body, i.now()), Ok(()));
        assert!(verify(&keys, id, time, signature, b"{}", i.now()).is_err());
    }
}

#[tokio::test]
async fn what_fails_is_tried_again_with_pauses_under_the_same_id() {
    let receiver = Http::start().await;
    receiver.reply([Reply::Status(500), Reply::Status(503)]);
    let mut i = Instance::start(config(vec![channel("pager", 0, webhook(&receiver, &[OLD]))])).await;
    i.late(10 * MINUTE);
    i.round().await;
    assert_eq!(receiver.received().len(), 1);
    let incident = i.store.incidents(1).await.unwrap().remove(0).id;
    let delivery = i.store.deliveries(&incident).await.unwrap().remove(0);
    assert_eq!((delivery.state(), delivery.error.as_deref()), (DeliveryState::Waiting, Some("answered 500")));
    i.clock.advance(4_999);
    assert_eq!(i.send().await, 0);
    assert_eq!(receiver.received().len(), 1);
    i.clock.advance(1);
    i.send().await;
    assert_eq!(receiver.received().len(), 2);
    // A restart in between forgets nothing and repeats nothing.
    i.restart().await;
    i.clock.advance(10_000);
    assert_eq!(i.send().await, 1);
    let received = receiver.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|r| r.header("webhook-id") == received[0].header("webhook-id")));
    assert_ne!(received[0].header("webhook-timestamp"), received[2].header("webhook-timestamp"));
    let delivery = i.store.deliveries(&incident).await.unwrap().remove(0);
    assert_eq!((delivery.state(), delivery.attempts, delivery.error), (DeliveryState::Sent, 3, None));
    i.pass(5 * MINUTE).await;
    assert_eq!(receiver.received().len(), 3);
}

#[tokio::test]
async fn a_receiver_that_is_gone_for_good_is_not_asked_again() {
    let receiver = Http::start().await;
    receiver.reply([Reply::Status(410)]);
    let mut i = Instance::start(config(vec![channel("pager", 0, webhook(&receiver, &[OLD]))])).await;
    i.late(10 * MINUTE);
    i.pass(5 * MINUTE).await;
    let incident = i.store.incidents(1).await.unwrap().remove(0).id;
    assert_eq!(i.store.deliveries(&incident).await.unwrap()[0].state(), DeliveryState::Failed);
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_hangs_delays_nobody_else_and_is_told_of() {
    let (hangs, works) = (Http::start().await, Http::start().await);
    hangs.reply(std::iter::repeat_n(Reply::Hang, 100));
    let channels =
        vec![channel("hangs", 0, webhook(&hangs, &[OLD])), channel("works", 0, webhook(&works, &[OLD]))];
    let mut config = config(channels);
    config.alerts.timeout_seconds = 0.05;
    let mut i = Instance::start(config).await;
    i.late(10 * MINUTE);
    i.round().await;
    assert_eq!(works.types(), ["incident.opened"]);
    let health = i.store.channel_health().await.unwrap();
    assert_eq!(
        (health[0].channel.as_str(), health[0].error.as_deref()),
        ("hangs", Some("no answer within the time limit"))
    );
    // The channel that works says that the other one does not.
    i.pass(6 * MINUTE).await;
    let told = works.received().iter().any(|r| r.json()["data"]["title"] == "Alerts do not arrive");
    assert!(told, "{:?}", works.types());
}

#[tokio::test]
async fn nobody_is_told_of_an_end_before_the_beginning() {
    let receiver = Http::start().await;
    receiver.reply([Reply::Status(500), Reply::Status(500)]);
    let mut i = Instance::start(config(vec![channel("pager", 0, webhook(&receiver, &[OLD]))])).await;
    i.late(10 * MINUTE);
    i.round().await;
    let incident = i.store.incidents(1).await.unwrap().remove(0).id;
    i.store.post_update(&incident, "ada", "It was the disk.", false, i.now()).await.unwrap();
    for _ in 0..60 {
        i.clock.advance(1_000);
        i.send().await;
    }
    assert_eq!(
        receiver.types(),
        ["incident.opened", "incident.opened", "incident.opened", "incident.updated"]
    );
    assert_eq!(receiver.received()[3].json()["data"]["text"], "It was the disk.");
}

#[tokio::test]
async fn slack_gets_text_and_blocks() {
    let receiver = Http::start().await;
    let target = Target::Slack(SlackTarget { url: Secret::new(receiver.url()) });
    let mut i = Instance::start(config(vec![channel("slack", 0, target)])).await;
    i.late(10 * MINUTE);
    i.round().await;
    let message = receiver.received()[0].json();
    assert_eq!(message["text"], "[critical] New: Data is late");
    let types: Vec<&str> =
        message["blocks"].as_array().unwrap().iter().map(|b| b["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["header", "section", "section", "context"]);
    assert!(message["blocks"][2]["text"]["text"].as_str().unwrap().contains("topsecret (7)"));
    assert!(message["blocks"][3]["elements"][0]["text"].as_str().unwrap().contains("|Acknowledge>"));
}

#[tokio::test]
async fn mails_arrive_form_a_thread_and_are_tried_again() {
    let server = Smtp::start().await;
    server.refuse(1);
    let mut i = Instance::start(config(vec![channel("mail", 0, email(&server))])).await;
    i.late(10 * MINUTE);
    i.round().await;
    assert_eq!(server.mails().len(), 0);
    let failing = i.store.channel_health().await.unwrap();
    assert!(failing[0].error.as_deref().unwrap().contains("not now"), "{failing:?}");
    i.clock.advance(5_000);
    i.round().await;
    let incident = i.store.incidents(1).await.unwrap().remove(0).id;
    i.store.acknowledge(&incident, "ada", "", i.now()).await.unwrap();
    i.send().await;
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert!(mails[0].contains("Subject: [critical] New: Data is late"), "{}", mails[0]);
    assert!(mails[0].contains("grace@example.org") && mails[0].contains("topsecret (7)"), "{}", mails[0]);
    assert!(mails[1].contains("Subject: [critical] Acknowledged: Data is late"), "{}", mails[1]);
    for mail in &mails {
        assert!(mail.contains(&format!("In-Reply-To: <incident-{incident}@example.org>")), "{mail}");
    }
}

/// A16-15: the first page is ignored.
#[tokio::test]
async fn nobody_answers_so_the_next_level_is_told_after_ten_minutes() {
    let (first, second, third) = (Http::start().await, Http::start().await, Http::start().await);
    let channels = vec![
        channel("first", 0, webhook(&first, &[OLD])),
        channel("second", 1, webhook(&second, &[OLD])),
        channel("third", 2, webhook(&third, &[OLD])),
    ];
    let mut i = Instance::start(config(channels)).await;
    i.well();
    i.late(10 * MINUTE);
    i.round().await;
    i.pass(10 * MINUTE - 5_000).await;
    assert_eq!((first.types(), second.received().len()), (vec!["incident.opened".to_owned()], 0));
    i.pass(5_000).await;
    assert_eq!(second.types(), ["incident.escalated"]);
    assert!(second.received()[0].json()["data"]["text"].as_str().unwrap().contains("for 10 minutes"));
    // Still nobody: the third level is told, and reminders go to all who know.
    i.pass(10 * MINUTE).await;
    assert_eq!(third.types(), ["incident.escalated"]);
    i.pass(10 * MINUTE).await;
    assert_eq!(third.types(), ["incident.escalated", "incident.reminder"]);
    assert_eq!(first.types(), ["incident.opened", "incident.reminder"]);
    assert_eq!(second.types(), ["incident.escalated", "incident.reminder"]);
    // Somebody does: all who know are told, and it is quiet.
    let incident = i.store.incidents(1).await.unwrap().remove(0).id;
    i.store.acknowledge(&incident, "ada", "on it", i.now()).await.unwrap();
    i.pass(60 * MINUTE).await;
    for receiver in [&first, &second, &third] {
        assert_eq!(receiver.types().last().unwrap(), "incident.acknowledged");
    }
    // It ends: all who know are told once.
    i.well();
    i.pass(60 * MINUTE).await;
    for receiver in [&first, &second, &third] {
        let types = receiver.types();
        assert_eq!(types.iter().filter(|t| *t == "incident.resolved").count(), 1, "{types:?}");
        assert_eq!(types.last().unwrap(), "incident.resolved");
    }
}

#[tokio::test]
async fn an_answer_in_time_wakes_nobody_else() {
    let (first, second) = (Http::start().await, Http::start().await);
    let channels =
        vec![channel("first", 0, webhook(&first, &[OLD])), channel("second", 1, webhook(&second, &[OLD]))];
    let mut i = Instance::start(config(channels)).await;
    i.late(10 * MINUTE);
    i.pass(9 * MINUTE).await;
    let incident = i.store.incidents(1).await.unwrap().remove(0).id;
    i.store.acknowledge(&incident, "ada", "", i.now()).await.unwrap();
    i.store.acknowledge(&incident, "grace", "", i.now()).await.unwrap();
    i.pass(60 * MINUTE).await;
    assert_eq!(first.types(), ["incident.opened", "incident.acknowledged"]);
    assert_eq!(second.received().len(), 0);
    assert_eq!(i.store.incident(&incident).await.unwrap().unwrap().acknowledged.unwrap().by, "ada");
}

/// O9: subscribers within five minutes, with what is public and nothing else.
#[tokio::test]
async fn subscribers_are_told_in_public_words() {
    let (pager, public) = (Http::start().await, Http::start().await);
    let mut followers = channel("followers", 0, webhook(&public, &[OLD]));
    followers.audience = Audience::Subscribers;
    let mut i = Instance::start(config(vec![channel("pager", 0, webhook(&pager, &[OLD])), followers])).await;
    i.well();
    i.round().await;
    i.late(MINUTE);
    i.round().await;
    assert_eq!(public.types(), ["incident.opened"]);
    i.late(10 * MINUTE);
    i.pass(MINUTE).await;
    i.well();
    i.pass(30 * MINUTE).await;
    assert_eq!(public.types().last().unwrap(), "incident.resolved");
    for message in public.received() {
        let text = String::from_utf8(message.body.to_vec()).unwrap();
        for secret in ["topsecret", "4711", "Project 7", "\"projects\":[7]"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    // A late backup is nobody's business but the operators'.
    i.set(|f| f.environment = "production".to_owned());
    let before = public.received().len();
    i.pass(MINUTE).await;
    assert_eq!(pager.received().last().unwrap().json()["data"]["title"], "No backups are set up");
    assert_eq!(public.received().len(), before);
}

#[tokio::test]
async fn announced_maintenance_wakes_nobody_but_losses_do() {
    let pager = Http::start().await;
    let mut i = Instance::start(config(vec![channel("pager", 0, webhook(&pager, &[OLD]))])).await;
    let window = Maintenance {
        id: String::new(),
        title: "New disks".to_owned(),
        text: String::new(),
        components: vec![Component::Processing],
        starts_at: i.now(),
        ends_at: i.now() + 30 * MINUTE,
        by: "ada".to_owned(),
        created_at: i.now(),
    };
    i.store.put_maintenance(&window).await.unwrap();
    i.late(10 * MINUTE);
    i.pass(29 * MINUTE).await;
    assert_eq!(pager.received().len(), 0);
    let hole = tallymark_monitor::facts::AuditFinding {
        key: "hole".to_owned(),
        kind: tallymark_monitor::facts::AuditKind::Hole,
        projects: vec![],
        interval: None,
        received: None,
        count: Some(1),
        evidence: "offsets without outcome".to_owned(),
        found: i.now(),
    };
    i.store.report_finding(&hole).await.unwrap();
    i.round().await;
    assert_eq!(pager.received()[0].json()["data"]["title"], "Events without an outcome");
    // What is still wrong when the window ends was not announced.
    i.pass(2 * MINUTE).await;
    assert_eq!(pager.received()[1].json()["data"]["title"], "Data is late");
}

#[tokio::test]
async fn a_channel_can_be_tried_out() {
    let receiver = Http::start().await;
    let i = Instance::start(config(vec![channel("pager", 0, webhook(&receiver, &[OLD]))])).await;
    i.dispatcher.test("pager", i.now()).await.unwrap();
    assert_eq!(receiver.types(), ["test"]);
    assert!(i.dispatcher.test("nobody", i.now()).await.is_err());
}
