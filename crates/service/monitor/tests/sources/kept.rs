//! What outlives the watch, and what people decide beside it.

use tallymark_model::{Lane, ProjectId, ProjectToken};
use tallymark_monitor::WatchStore;
use tallymark_monitor::checks::SourceState;
use tallymark_monitor::facts::Source;
use tallymark_monitor::sources::Heard;
use tallymark_monitor::store::{SourceChoice, SourceRow};

fn row(project: u32, library: &str) -> SourceRow {
    let token = ProjectToken([project as u8; 16]);
    let mut heard = Heard::new(1_000);
    heard.hear(61_000, 7);
    SourceRow {
        source: Source {
            id: Source::id_of(token, Lane::Live, "PostHog", Some(library)),
            project: ProjectId(project),
            lane: Lane::Live,
            key: "web".to_owned(),
            protocol: "PostHog".to_owned(),
            library: Some(library.to_owned()),
            version: None,
        },
        token,
        heard,
        state: SourceState::Silent,
        silent_after: Some(61_000),
        key_ended: false,
    }
}

#[tokio::test]
async fn a_new_watch_goes_on_where_the_last_one_ended() {
    let dir = tempfile::tempdir().unwrap();
    let store = WatchStore::open(&dir.path().join("watch.db")).await.unwrap();
    let (shop, blog) = (row(1, "web"), row(2, "web"));
    assert_ne!(shop.source.id, blog.source.id);
    store.save_sources(&[&shop, &blog], &[], &[("live/0".into(), 7), ("bulk/1".into(), 9)]).await.unwrap();
    store.close().await;
    let store = WatchStore::open(&dir.path().join("watch.db")).await.unwrap();
    assert_eq!(store.sources(Some(ProjectId(1))).await.unwrap(), [shop.clone()]);
    assert_eq!(store.sources(None).await.unwrap().len(), 2);
    let offsets = store.source_offsets().await.unwrap();
    assert_eq!((offsets["live/0"], offsets["bulk/1"]), (7, 9));
    // It was silent before, so it is until it sends.
    assert!(shop.facts(true, 70_000).found_silent);
    let mut back = shop.clone();
    back.heard.hear(71_000, 1);
    assert!(!back.facts(true, 72_000).found_silent);
    store.save_sources(&[], &[shop.source.id], &[("live/0".into(), 8)]).await.unwrap();
    assert_eq!(store.sources(None).await.unwrap(), [blog]);
    assert_eq!(store.source_offsets().await.unwrap()["live/0"], 8);
}

#[tokio::test]
async fn people_decide_about_the_sources_of_their_project_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = WatchStore::open(&dir.path().join("watch.db")).await.unwrap();
    let shop = row(1, "web");
    let id = shop.source.id.as_str();
    store.save_sources(&[&shop], &[], &[]).await.unwrap();
    assert!(!store.watch_source(ProjectId(2), id, false, "me").await.unwrap());
    assert!(!store.end_source(ProjectId(2), id, "me", 5).await.unwrap());
    assert!(!store.watch_source(ProjectId(1), "none", false, "me").await.unwrap());
    assert_eq!(store.source_choices().await.unwrap().len(), 0);
    for watched in [false, true, false] {
        assert!(store.watch_source(ProjectId(1), id, watched, "me").await.unwrap());
        let choice = store.source_choices().await.unwrap()[id];
        assert_eq!(choice, SourceChoice { watched, ended_at: None });
    }
    assert!(store.end_source(ProjectId(1), id, "me", 5).await.unwrap());
    assert_eq!(store.sources(None).await.unwrap(), []);
    // The watch still has it, and learns that it is to forget it.
    let choice = store.source_choices().await.unwrap()[id];
    assert_eq!(choice, SourceChoice { watched: true, ended_at: Some(5) });
    store.save_sources(&[], &[id.to_owned()], &[]).await.unwrap();
    assert_eq!(store.source_choices().await.unwrap().len(), 0);
}
