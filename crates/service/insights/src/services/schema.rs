//! Names that a project sends.

use crate::Error;
use crate::envelope::iso;
use serde_json::{Value, json};
use tallymark_model::{ProjectId, is_operation};
use tallymark_query::{PropertyScope, Source};

/// `{events, properties}`, the most frequent first.
pub(crate) fn schema(source: &dyn Source, project: ProjectId) -> Result<Value, Error> {
    // The newest commits, and that there is such a project.
    let vocabulary = source.pin(project)?.project.vocabulary;
    let stats = source.stats(project);
    let mut events: Vec<_> = stats.events.iter().collect();
    events.sort_by(|a, b| b.1.count.cmp(&a.1.count).then(a.0.cmp(b.0)));
    let mut properties: Vec<_> = stats.properties.iter().collect();
    properties.sort_by(|a, b| b.1.count.cmp(&a.1.count).then(a.0.cmp(b.0)));
    let events = events.into_iter().map(|(name, e)| {
        let shown = vocabulary.shown(name);
        json!({
            "name": name,
            "shown_as": (shown != name).then_some(shown),
            "count": e.count,
            "first_seen": iso(e.first),
            "last_seen": iso(e.last),
            "operation": is_operation(name),
        })
    });
    let properties = properties.into_iter().map(|((scope, name), p)| {
        let types = p.types.names();
        json!({
            "name": name,
            "scope": match scope {
                PropertyScope::Event => "event",
                PropertyScope::User => "user",
            },
            "types": types,
            "count": p.count,
            "examples": p.examples.iter().map(|(_, text)| text).collect::<Vec<_>>(),
            "events": p.events,
        })
    });
    let (events, properties): (Vec<Value>, Vec<Value>) = (events.collect(), properties.collect());
    Ok(json!({"events": events, "properties": properties}))
}
