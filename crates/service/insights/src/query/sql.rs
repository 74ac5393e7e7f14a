//! `type: "sql"`: one statement and its parameters.

use super::parts::always;
use super::{Common, CountBy, Reader};
use crate::Error;
use serde_json::Value;

/// Rows of an answer, unless the query says otherwise.
const LIMIT: i64 = 10_000;
const LIMIT_MAX: i64 = 100_000;

/// `type: "sql"`.
#[derive(Debug, Clone)]
pub(crate) struct SqlQuery {
    pub common: Common,
    pub sql: String,
    pub params: Vec<Value>,
    pub limit: usize,
}

impl SqlQuery {
    /// Reads its keys.
    pub fn read(query: Reader<'_>) -> Result<SqlQuery, Error> {
        let common = Common::read_or(&query, always())?;
        let hint = r#""SELECT event, count(*) FROM events GROUP BY event""#;
        let sql = query.text("sql")?.ok_or_else(|| query.missing("sql", hint))?.to_owned();
        let params = query.list("params")?.unwrap_or_default().to_vec();
        let limit = query.integer("limit", 1, LIMIT_MAX)?.unwrap_or(LIMIT) as usize;
        if common.count_by != CountBy::Person {
            let why = "means nothing in SQL: count what you like, such as count(DISTINCT device_id)";
            return Err(Error::combination("count_by", "`count_by`", why));
        }
        if common.microscope.is_some() {
            let why = "means nothing in SQL: select the persons";
            return Err(Error::combination("microscope", "`microscope`", why));
        }
        query.finish()?;
        Ok(SqlQuery { common, sql, params, limit })
    }
}
