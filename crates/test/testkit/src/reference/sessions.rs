//! Chapter 7 from the text: `type: "sessions"`.

use super::events::Prepared;
use serde_json::Value;

pub fn run(_prepared: &Prepared, _query: &Value) -> Result<Value, String> {
    Err("type: sessions is not computed by the reference".into())
}
