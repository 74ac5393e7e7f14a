//! What Mixpanel's browser SDK asks for beside sending events: nothing is set, no flag is on, recordings are not kept.

use serde_json::{Value, json};

/// The answer of `/settings`: the page's own settings hold, and where it insists on others, nothing is recorded.
pub fn settings() -> Value {
    json!({})
}

/// The answer of `/flags` with `mp_lib`, which PostHog's SDKs do not send: none. Without the member the SDK reports an error.
pub fn flags() -> Value {
    json!({"flags": {}})
}

/// The answer of `/record`: the SDK keeps what is not answered with 200, and sends it again.
pub fn recorded() -> Value {
    json!({"code": 200, "status": "OK"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_set() {
        assert_eq!(settings().get("sdk_config"), None);
        assert_eq!(flags()["flags"], json!({}));
    }
}
