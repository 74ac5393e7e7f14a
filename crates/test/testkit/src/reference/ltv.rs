//! Chapter 10 from the text: `type: "ltv"`.

use super::events::Prepared;
use serde_json::Value;

pub fn run(_prepared: &Prepared, _query: &Value) -> Result<Value, String> {
    Err("type: ltv is not computed by the reference".into())
}
