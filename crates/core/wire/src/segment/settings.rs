//! What browser SDKs load before they send anything: Segment's `/v1/projects/{writeKey}/settings`, RudderStack's
//! `/sourceConfig`.

use serde_json::{Value, json};

/// Settings that send events of `write_key` back to `host`, which may end in a path (`example.com/ingest`).
/// The SDK takes its key from here, not from the snippet.
pub fn settings(write_key: &str, scheme: &str, host: &str) -> Value {
    let on = || json!({"__default": {"enabled": true}});
    json!({
        "integrations": {"Segment.io": {
            "apiKey": write_key,
            "apiHost": format!("{host}/v1"),
            "protocol": scheme,
            "unbundledIntegrations": [],
            "addBundledMetadata": true,
            "retryQueue": true,
            "deliveryStrategy": {"strategy": "batching", "config": {"size": 10, "timeout": 5000}},
        }},
        "plan": {"track": on(), "identify": on(), "group": on()},
        "edgeFunction": {},
        "analyticsNextEnabled": true,
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": false,
        "remotePlugins": [],
    })
}

/// RudderStack's source: on, without destinations in the browser, and without reports about the SDK itself. Key and data
/// plane are those that the page names.
pub fn source_config() -> Value {
    let off = || json!({"enabled": false});
    json!({
        "source": {
            "id": "tallymark",
            "name": "tallymark",
            "workspaceId": "tallymark",
            "enabled": true,
            "config": {"statsCollection": {"errors": off(), "metrics": off()}},
            "connections": [],
            "destinations": [],
            "dataplanes": {},
        },
        "consentManagementMetadata": {"providers": []},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_rudderstack_is_on() {
        let source = &source_config()["source"];
        assert_eq!((&source["enabled"], &source["destinations"]), (&json!(true), &json!([])));
        // Without these two the SDK takes the answer for broken.
        assert!(source["id"].is_string() && source["config"].is_object());
    }

    #[test]
    fn the_key_and_the_host_come_back() {
        let answer = settings("k1", "http", "127.0.0.1:8000");
        let io = &answer["integrations"]["Segment.io"];
        assert_eq!(
            (&io["apiKey"], &io["apiHost"], &io["protocol"]),
            (&json!("k1"), &json!("127.0.0.1:8000/v1"), &json!("http"))
        );
    }
}
