//! The person id that people and programs see.

use tallymark_model::{ProjectId, Seq, SubjectKind};
use uuid::Uuid;

/// Name space of person ids; persisted in links and exports, never to change.
const NAMESPACE: Uuid = Uuid::from_u128(0x7a11_9a2b_0c1d_5e3f_8a4b_5c6d_7e8f_9012);

/// Stable external id of the person that `raw` founded: the same after a replay, on another machine, and
/// whatever number the subject got. `life` is none for the first person a device founded, and the place in the
/// log at which a later one began (after a reset).
pub fn person_key(project: ProjectId, kind: SubjectKind, raw: &str, life: Option<Seq>) -> Uuid {
    let mut name = Vec::with_capacity(raw.len() + 24);
    name.extend_from_slice(&project.0.to_be_bytes());
    name.push(kind as u8);
    name.extend_from_slice(&(raw.len() as u64).to_be_bytes());
    name.extend_from_slice(raw.as_bytes());
    if let Some(seq) = life {
        name.extend_from_slice(&seq.received_at.to_be_bytes());
        name.extend_from_slice(&seq.position.to_be_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_stable_and_distinct() {
        let project = ProjectId(1);
        let key = |kind, raw, life| person_key(project, kind, raw, life);
        let life = Some(Seq { received_at: 5, position: 7 });
        let all = [
            key(SubjectKind::User, "a", None),
            key(SubjectKind::Device, "a", None),
            key(SubjectKind::Device, "b", None),
            key(SubjectKind::Device, "a", life),
            person_key(ProjectId(2), SubjectKind::User, "a", None),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
        // Pinned: links and exports that people keep contain it.
        assert_eq!(all[0].to_string(), "dfa369cc-d0c2-5484-861e-48b28711a8ad");
    }
}
