//! Answers of `/flags`, `/decide` and `/array/{token}/config` for a project without flags, recordings or surveys.
//!
//! They are complete and valid in every version that SDKs ask for, so that clients start and capture events;
//! an error here would stop autocapture in browsers and raise exceptions in server SDKs.

use crate::json::Doc;
use serde_json::{Map, Value, json};
use tallymark_model::Millis;

/// The answer of `/flags/?v={version}`; without a version it has the shape of `/decide/?v=3`.
pub fn flags(version: Option<u32>, with_config: bool, token: &str, request_id: &str, now: Millis) -> Value {
    match version {
        None | Some(0..2) => decide(Some(3), token, request_id),
        // Version 4 adds members to each flag; without flags it equals version 2.
        Some(_) => {
            let mut answer = json!({
                "errorsWhileComputingFlags": false, "requestId": request_id, "evaluatedAt": now, "flags": {},
            });
            if with_config {
                merge(&mut answer, config(token));
            }
            answer
        }
    }
}

/// The answer of `/decide/?v={version}`.
pub fn decide(version: Option<u32>, token: &str, request_id: &str) -> Value {
    let mut answer = json!({
        "config": {"enable_collect_everything": true},
        "errorsWhileComputingFlags": false,
        "requestId": request_id,
        "featureFlags": match version { None | Some(0..=1) => json!([]), Some(_) => json!({}) },
        "featureFlagPayloads": {},
    });
    merge(&mut answer, config(token));
    answer
}

/// The answer of `/array/{token}/config`.
pub fn config(token: &str) -> Value {
    json!({
        "token": token,
        "supportedCompression": ["gzip", "gzip-js"],
        "hasFeatureFlags": false,
        "autocapture_opt_out": false,
        "captureDeadClicks": false,
        "capturePerformance": {"network_timing": true, "web_vitals": false, "web_vitals_allowed_metrics": null},
        "autocaptureExceptions": false,
        "analytics": {"endpoint": "/i/v0/e/"},
        "elementsChainAsString": true,
        "errorTracking": {"autocaptureExceptions": false, "suppressionRules": []},
        "logs": {"captureConsoleLogs": false},
        "sessionRecording": false,
        "heatmaps": false,
        "surveys": false,
        "productTours": false,
        "defaultIdentifiedOnly": true,
        "isAuthenticated": false,
        "toolbarParams": {},
        "siteApps": [],
    })
}

/// The answer of `/array/{token}/config.js`.
pub fn config_script(token: &str) -> String {
    let (name, config) = (script_safe(&json!(token)), script_safe(&config(token)));
    format!(
        "(function(){{var c=window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{{}};\
         c[{name}]={{config:{config},siteApps:[]}};}})();"
    )
}

/// A list that PostHog's SDKs ask for, and that is empty here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    /// `/api/surveys`.
    Surveys,
    /// `/api/early_access_features`.
    EarlyAccess,
    /// `/api/product_tours`.
    ProductTours,
    /// `/api/web_experiments`.
    WebExperiments,
    /// `/flags/definitions` and `/api/feature_flag/local_evaluation`: flags that servers evaluate themselves.
    Definitions,
}

impl Nothing {
    /// The list of this path (without a trailing slash), if it is one.
    pub fn of(path: &str) -> Option<Nothing> {
        Some(match path {
            "/api/surveys" => Nothing::Surveys,
            "/api/early_access_features" => Nothing::EarlyAccess,
            "/api/product_tours" => Nothing::ProductTours,
            "/api/web_experiments" => Nothing::WebExperiments,
            "/flags/definitions" | "/api/feature_flag/local_evaluation" => Nothing::Definitions,
            _ => return None,
        })
    }

    /// Its answer.
    pub fn answer(self) -> Value {
        match self {
            Nothing::Surveys => json!({"surveys": []}),
            Nothing::EarlyAccess => json!({"earlyAccessFeatures": []}),
            Nothing::ProductTours => json!({"product_tours": []}),
            Nothing::WebExperiments => json!({"experiments": []}),
            Nothing::Definitions => json!({
                "flags": [], "group_type_mapping": {}, "cohorts": {},
                "minimal_flag_called_events": false, "property_matching_version": 1,
            }),
        }
    }
}

/// The token in the body of a flags request.
pub fn token(body: &[u8]) -> Option<String> {
    let doc = Doc::parse(body).ok()?;
    let object = doc.object().ok()?;
    ["token", "api_key", "$token"].iter().find_map(|name| object.str(name)).map(str::to_owned)
}

/// JSON that cannot end a script element.
fn script_safe(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn merge(answer: &mut Value, other: Value) {
    let (Some(into), Value::Object(from)): (Option<&mut Map<String, Value>>, Value) =
        (answer.as_object_mut(), other)
    else {
        return;
    };
    into.extend(from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_its_shape() {
        let v2 = flags(Some(2), false, "k", "r", 7);
        assert_eq!(v2, json!({"errorsWhileComputingFlags":false,"requestId":"r","evaluatedAt":7,"flags":{}}));
        assert_eq!(flags(Some(4), true, "k", "r", 7)["autocapture_opt_out"], json!(false));
        assert_eq!(decide(Some(3), "k", "r")["featureFlags"], json!({}));
        assert_eq!(decide(Some(1), "k", "r")["featureFlags"], json!([]));
        assert_eq!(flags(None, false, "k", "r", 7)["featureFlagPayloads"], json!({}));
        assert_eq!(config("k")["supportedCompression"], json!(["gzip", "gzip-js"]));
    }

    #[test]
    fn every_list_is_there_and_empty() {
        for (path, answer) in [
            ("/api/surveys", json!({"surveys": []})),
            ("/api/early_access_features", json!({"earlyAccessFeatures": []})),
            ("/api/product_tours", json!({"product_tours": []})),
            ("/api/web_experiments", json!({"experiments": []})),
        ] {
            assert_eq!(Nothing::of(path).map(Nothing::answer), Some(answer), "{path}");
        }
        for path in ["/flags/definitions", "/api/feature_flag/local_evaluation"] {
            assert_eq!(Nothing::of(path).unwrap().answer()["flags"], json!([]));
        }
        assert_eq!(Nothing::of("/api/survey"), None);
    }

    #[test]
    fn a_token_cannot_break_out_of_the_script() {
        let script = config_script("</script><script>alert(1)//\"");
        assert!(!script.contains("</script>") && script.contains("\\u003c/script>"));
    }
}
