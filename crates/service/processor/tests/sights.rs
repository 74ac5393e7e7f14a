//! The rows that late records ask for are found in the files of a snapshot.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;

use rig::{Rig, Sent};
use tallymark_model::{Position, ProjectId, Seq, SubjectKind};
use tallymark_processor::steps::sights::SightAsk;
use tallymark_processor::{catch_up, find_sights};
use tallymark_state::{State, StateConfig};

#[tokio::test]
async fn every_visible_row_of_a_device_after_a_place_is_found() {
    let mut rig = Rig::new().await;
    let by = |user: Option<&str>, n: usize| Sent {
        user: user.map(str::to_owned),
        ..Sent::new("Play", "dev-1", &format!("i{n}"))
    };
    let first =
        rig.send(&[by(None, 1), by(Some("u"), 2), Sent::new("Play", "dev-2", "x"), by(Some("u"), 2)]).await;
    rig.drain().await;
    rig.later(10);
    let logout = Sent { user: None, ..Sent::new("$reset", "dev-1", "i3") };
    let second = rig.send(&[logout, by(None, 4)]).await;
    rig.drain().await;

    let mut state = State::empty(StateConfig::default());
    catch_up(&mut state, &rig.catalog, &rig.store, None).await.unwrap();
    let subjects = &state.project(ProjectId(1)).unwrap().subjects;
    let device = subjects.find(SubjectKind::Device, "dev-1").unwrap();
    let user = subjects.find(SubjectKind::User, "u").unwrap();
    let found = async |after: Seq, held: fn(Position) -> bool| {
        let ask = SightAsk { project: ProjectId(1), device, raw: "dev-1".into(), after };
        let sights = find_sights(&rig.catalog, &rig.store, &state, vec![ask], None, held).await.unwrap();
        let of = sights.of(ProjectId(1), device).iter();
        of.map(|s| (Position::unpack(s.seq.position).unwrap(), s.user == user, s.reset)).collect::<Vec<_>>()
    };
    let all = [
        (first[0], false, false),
        (first[1], true, false),
        (second[0], false, true),
        (second[1], false, false),
    ];
    assert_eq!(found(Seq::MIN, |_| true).await, all, "the duplicate and the other device are no rows of it");
    let after = Seq { received_at: rig::DAY + 1, position: first[1].pack() };
    assert_eq!(found(after, |_| true).await, all[2..]);
    assert_eq!(
        found(after, |p| p.offset % 2 == 1).await.len(),
        all[2..].iter().filter(|r| r.0.offset % 2 == 1).count()
    );
}
