//! Worlds of the testkit asked in SQL.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../../service/insights/tests/support/mod.rs"]
pub mod worlds;

use serde_json::{Value, json};
use std::sync::Arc;
use tallymark_insights::{Engine, Error, QueryContext};
use tallymark_sql::DataFusionSql;
use tallymark_testkit::reference::World;
use worlds::{Layout, PROJECT, source};

/// An engine over a world that answers SQL too.
pub fn engine(world: &World, layout: Layout) -> Engine {
    Engine::new(Arc::new(source(world, layout)), 2).with_sql(Arc::new(DataFusionSql::new()))
}

/// Asks in SQL.
pub fn sql(engine: &Engine, text: &str) -> Result<Value, Error> {
    ask(engine, &json!({"type": "sql", "sql": text}))
}

/// The rows of an answer.
pub fn rows(engine: &Engine, text: &str) -> Value {
    sql(engine, text).unwrap_or_else(|e| panic!("{e}\n{text}"))["rows"].clone()
}

/// Runs any query with the default limits.
pub fn ask(engine: &Engine, query: &Value) -> Result<Value, Error> {
    engine.run(PROJECT, query, &QueryContext::default())
}

/// The code and message of a refusal.
pub fn refusal(engine: &Engine, text: &str) -> (&'static str, String) {
    match sql(engine, text) {
        Ok(answer) => panic!("{text} was answered: {answer}"),
        Err(error) => (error.code(), error.to_string()),
    }
}
