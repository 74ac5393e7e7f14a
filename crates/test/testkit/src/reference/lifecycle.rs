//! Chapter 5 from the text: `type: "lifecycle"`.

use super::events::Prepared;
use serde_json::Value;

pub fn run(_prepared: &Prepared, _query: &Value) -> Result<Value, String> {
    Err("type: lifecycle is not computed by the reference".into())
}
