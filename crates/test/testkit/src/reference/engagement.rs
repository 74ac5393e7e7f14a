//! Chapter 10 from the text: `type: "engagement"`.

use super::events::Prepared;
use serde_json::Value;

pub fn run(_prepared: &Prepared, _query: &Value) -> Result<Value, String> {
    Err("type: engagement is not computed by the reference".into())
}
