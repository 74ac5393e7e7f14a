//! One statement's session: the project's tables, the listed functions, and nothing else.
//!
//! Guarantees: no settings, no other schemas, no files, no spilling; the clock is the query's `as_of`.

use crate::check;
use crate::error::unclear;
use crate::functions::Functions;
use crate::pool::BudgetPool;
use crate::rewrite;
use crate::source::{BATCH_ROWS, SourceExec};
use crate::tables::{Scene, Tables};
use crate::texts::TextAllowance;
use datafusion::arrow::temporal_conversions::timestamp_ms_to_datetime;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::execution::context::{SQLOptions, SessionState};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement;
use serde_json::Value;
use std::sync::Arc;
use tallymark_query::{QueryError, SQL_BYTES_MAX};

const CATALOG: &str = "tallymark";
const SCHEMA: &str = "project";

/// A statement, planned.
pub(crate) struct Planned {
    pub state: SessionState,
    pub plan: Arc<dyn ExecutionPlan>,
    /// Only the plan is wanted.
    pub explain: bool,
}

/// Checks and plans the scene's statement.
pub(crate) async fn plan(scene: &Scene, functions: &Functions) -> Result<Planned, QueryError> {
    let question = &scene.question;
    let mut checked = check::check(&question.sql)?;
    let uses = rewrite::rewrite(&mut checked.statement)?;
    let params = params(&question.params, uses.params)?;
    let tables = Tables::new(scene.clone(), &uses.virtuals)?;
    let state = state(scene, functions, tables)?;
    let failed = |e| scene.first.instead_of(e);
    let statement = Statement::Statement(Box::new(checked.statement));
    let plan = state.statement_to_plan(statement).await.map_err(failed)?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(failed)?;
    let plan: LogicalPlan = match uses.params {
        0 => plan,
        _ => plan.with_param_values(params).map_err(failed)?,
    };
    scene.context.cancel.check()?;
    let plan = state.create_physical_plan(&plan).await.map_err(failed)?;
    scene.context.cancel.check()?;
    Ok(Planned { state, plan, explain: checked.explain })
}

fn state(scene: &Scene, functions: &Functions, tables: Tables) -> Result<SessionState, QueryError> {
    let failed = |e| scene.first.instead_of(e);
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(BATCH_ROWS)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, SCHEMA);
    let options = config.options_mut();
    options.execution.enable_recursive_ctes = false;
    options.execution.collect_statistics = false;
    options.execution.enforce_batch_size_in_joins = true;
    options.execution.sort_spill_reservation_bytes = 0;
    options.execution.time_zone = Some("UTC".to_owned());
    options.sql_parser.map_string_types_to_utf8view = false;
    // Our leaves would not look at them.
    options.optimizer.enable_dynamic_filter_pushdown = false;
    let pool = Arc::new(BudgetPool::new(&scene.context.budget, scene.first.clone()));
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(pool)
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()
        .map_err(failed)?;
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(tables)).map_err(failed)?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    let mut clock = ExecutionProps::new();
    if let Some(as_of) = timestamp_ms_to_datetime(scene.question.as_of) {
        clock = clock.with_query_execution_start_time(as_of.and_utc());
    }
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_catalog_list(Arc::new(catalogs))
        .with_execution_props(clock);
    Ok(functions.install(builder, &Arc::new(TextAllowance::default())).build())
}

/// Values of `$1`, `$2`, ….
fn params(values: &[Value], used: usize) -> Result<ParamValues, QueryError> {
    if values.len() != used {
        let text =
            format!("params: the statement has {used} parameters, but {} values are given", values.len());
        return Err(unclear(text));
    }
    let bytes: usize = values.iter().map(|v| v.as_str().map_or(8, str::len)).sum();
    if bytes > SQL_BYTES_MAX {
        let text = format!("params: {bytes} bytes of text; at most {SQL_BYTES_MAX} are read");
        return Err(crate::error::too_large(text));
    }
    let one = |(i, value): (usize, &Value)| {
        Ok(match value {
            Value::Null => ScalarValue::Null,
            Value::Bool(b) => ScalarValue::Boolean(Some(*b)),
            Value::String(text) => ScalarValue::Utf8(Some(text.clone())),
            Value::Number(n) => match n.as_i64() {
                Some(n) => ScalarValue::Int64(Some(n)),
                None => ScalarValue::Float64(n.as_f64()),
            },
            _ => {
                let text = format!("params[{i}]: a parameter is a text, a number, a boolean or null");
                return Err(unclear(text));
            }
        })
    };
    let values = values.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>()?;
    Ok(ParamValues::from(values))
}

/// The plan as text.
pub(crate) fn plan_text(plan: &Arc<dyn ExecutionPlan>) -> String {
    displayable(plan.as_ref()).indent(false).to_string()
}

/// What the leaves of a plan would read.
pub(crate) fn leaves(plan: &Arc<dyn ExecutionPlan>, found: &mut Vec<Value>) -> Result<(), QueryError> {
    if let Some(source) = plan.as_ref().downcast_ref::<SourceExec>() {
        found.push(source.rows().explain()?);
    }
    for child in plan.children() {
        leaves(child, found)?;
    }
    Ok(())
}
