//! Chapter 6 from the text: `type: "stickiness"`.

use super::events::Prepared;
use serde_json::Value;

pub fn run(_prepared: &Prepared, _query: &Value) -> Result<Value, String> {
    Err("type: stickiness is not computed by the reference".into())
}
