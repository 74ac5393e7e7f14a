//! Chapter 9 from the text: `type: "cohort"`.

use super::events::Prepared;
use serde_json::Value;

pub fn run(_prepared: &Prepared, _query: &Value) -> Result<Value, String> {
    Err("type: cohort is not computed by the reference".into())
}
