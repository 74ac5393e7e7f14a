//! From the catalog into the log: rules and erasures that the log does not carry yet.
//!
//! Guarantees: what was edited is in the log sooner or later, whatever is down meanwhile; being handed over twice
//! is harmless, because the fold counts the first record of a version. Order of making is order in the log.
//! Deliberately not here: what they do (`processor`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tallymark_api::{ControlDoor, ControlOrder};
use tallymark_catalog::Rules;
use tallymark_model::{Control, Millis};
use tokio_util::sync::CancellationToken;

/// How often the catalog is looked at.
const EVERY: Duration = Duration::from_millis(300);
/// Longest pause after failures.
const EVERY_MAX: Duration = Duration::from_secs(5);
/// Records handed over at a time.
const ORDER_MAX: usize = 50;

/// Hands over until told to stop.
pub async fn publish(catalog: Arc<dyn Rules>, door: Arc<dyn ControlDoor>, stop: CancellationToken) {
    let mut erased = Erased::default();
    let (mut pause, mut told) = (EVERY, String::new());
    while !stop.is_cancelled() {
        match round(catalog.as_ref(), door.as_ref(), &mut erased).await {
            Ok(()) => {
                pause = EVERY;
                told.clear();
            }
            Err(problem) => {
                if problem != told {
                    tracing::warn!(%problem, "rules are not published yet; trying again");
                    told = problem;
                }
                pause = (pause * 2).min(EVERY_MAX);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Erasures as they were handed over last, by number. A wish may be taken back between being handed over and being
/// noted, and would then be noted although the log has the older one: so what is known here is compared as well.
type Erased = HashMap<u32, Millis>;

async fn round(catalog: &dyn Rules, door: &dyn ControlDoor, erased: &mut Erased) -> Result<(), String> {
    let rules = catalog.unpublished_rules().await.map_err(|e| e.to_string())?;
    for chunk in rules.chunks(ORDER_MAX) {
        let everywhere = chunk.iter().cloned().map(Control::Rule).collect();
        let order = ControlOrder { everywhere, at: Vec::new() };
        door.append(order).await.map_err(|e| e.to_string())?;
        for rule in chunk {
            catalog.rule_published(rule.id, rule.version).await.map_err(|e| e.to_string())?;
        }
    }
    let mut wishes = catalog.erasures(None).await.map_err(|e| e.to_string())?;
    wishes.reverse();
    for document in wishes {
        let (id, made_at) = (document.erasure.id, document.erasure.made_at);
        let changed = erased.get(&id).is_some_and(|handed_over| *handed_over != made_at);
        if document.published_at.is_some() && !changed {
            continue;
        }
        let everywhere = vec![Control::Erase(document.erasure)];
        let order = ControlOrder { everywhere, at: Vec::new() };
        door.append(order).await.map_err(|e| e.to_string())?;
        erased.insert(id, made_at);
        catalog.erasure_published(id).await.map_err(|e| e.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use serde_json::Value;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tallymark_api::PortError;
    use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
    use tallymark_catalog::{NewProject, Settings};
    use tallymark_model::{Erasure, Position, Rule, RuleAction, SubjectKind};

    #[derive(Default)]
    struct Door {
        closed: AtomicBool,
        seen: Mutex<Vec<Control>>,
    }

    #[async_trait]
    impl ControlDoor for Door {
        async fn append(&self, order: ControlOrder) -> Result<Vec<Position>, PortError> {
            if self.closed.load(Ordering::SeqCst) {
                return Err(PortError { what: "door", detail: "closed".into() });
            }
            self.seen.lock().unwrap().extend(order.everywhere);
            Ok(Vec::new())
        }
        async fn throttle_rules(&self) -> Result<Value, PortError> {
            Ok(Value::Null)
        }
        async fn set_throttle_rules(&self, _: &Value) -> Result<Result<(), String>, PortError> {
            Ok(Ok(()))
        }
    }

    #[tokio::test]
    async fn everything_arrives_once_and_in_order_after_an_outage() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = SqliteCatalog::open(&dir.path().join("catalog.db"), OpenMode::Create).await.unwrap();
        let shop = NewProject { name: "shop".into(), ..NewProject::default() };
        let project = catalog.create_project(shop).await.unwrap().project.id;
        let rule = |id, enabled| Rule {
            id,
            project,
            version: 0,
            name: "r".into(),
            enabled,
            by: "me".into(),
            reason: String::new(),
            made_at: 0,
            action: RuleAction::Block { devices: vec!["d".into()], users: vec![] },
        };
        let id = catalog.put_rule(rule(0, true)).await.unwrap().rule.id;
        catalog.put_rule(rule(id, false)).await.unwrap();
        let wish = Erasure {
            id: 0,
            project,
            subjects: vec![(SubjectKind::User, "ann".into())],
            by: "me".into(),
            reason: "asked".into(),
            made_at: 0,
            undo_until: 10,
            undone: false,
        };
        let wish = catalog.put_erasure(wish).await.unwrap().erasure;
        let (door, mut erased) = (Door::default(), Erased::default());
        door.closed.store(true, Ordering::SeqCst);
        assert!(round(&catalog, &door, &mut erased).await.is_err());
        door.closed.store(false, Ordering::SeqCst);
        for _ in 0..3 {
            round(&catalog, &door, &mut erased).await.unwrap();
        }
        let versions: Vec<u32> = door
            .seen
            .lock()
            .unwrap()
            .iter()
            .filter_map(|c| if let Control::Rule(r) = c { Some(r.version) } else { None })
            .collect();
        assert_eq!((versions, door.seen.lock().unwrap().len()), (vec![1, 2], 3));
        // Taken back, and noted as published by a slow hand: it still reaches the log.
        tokio::time::sleep(Duration::from_millis(3)).await;
        catalog.put_erasure(Erasure { undone: true, ..wish }).await.unwrap();
        catalog.erasure_published(1).await.unwrap();
        round(&catalog, &door, &mut erased).await.unwrap();
        let seen = door.seen.lock().unwrap();
        assert!(matches!(seen.last(), Some(Control::Erase(e)) if e.undone), "{seen:?}");
    }
}
