//! Answer of `/JS/v2/{key}/config`, which the browser SDK asks for before it sends anything.

use serde_json::{Value, json};

/// Settings without kits and pixels of other vendors. They lie over what the page says itself, so addresses and names
/// are left to it. Batches are kept in the browser until they are answered, for every visitor: a per cent of 100.
pub fn config() -> Value {
    json!({
        "kitConfigs": [],
        "pixelConfigs": [],
        "flags": {
            "eventBatchingIntervalMillis": "2000",
            "offlineStorage": "100",
            "reportBatching": "False",
            "directURLRouting": "False",
            "cacheIdentity": "False",
            "audienceAPI": "False",
            "captureIntegrationSpecificIds": "False",
            "captureIntegrationSpecificIds.V2": "none",
            "astBackgroundEvents": "False",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_keeps_its_addresses() {
        let names: Vec<String> = config().as_object().unwrap().keys().cloned().collect();
        assert_eq!(names.iter().filter(|name| name.contains("Url") || *name == "domain").count(), 0);
    }
}
