//! Chapter 8 from the text: `type: "paths"`.

use super::events::Prepared;
use serde_json::Value;

pub fn run(_prepared: &Prepared, _query: &Value) -> Result<Value, String> {
    Err("type: paths is not computed by the reference".into())
}
