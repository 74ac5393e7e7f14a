//! A leaf of a plan: rows made by code of ours on threads of its own, as batches of the library.
//!
//! Guarantees: nothing is read before the plan asks; whoever no longer listens ends the reading; an error of ours
//! reaches the asker as it was.
//! Deliberately not here: what is read (`tables`).

use crate::error::FirstError;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, ReplaceChildrenOptions,
};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tallymark_query::QueryError;
use tokio::sync::mpsc::Sender;

/// Rows of one batch.
pub(crate) const BATCH_ROWS: usize = 2048;
/// Batches that may wait for the plan.
const WAITING_MAX: usize = 4;

/// Makes the rows of a table.
pub(crate) trait Rows: fmt::Debug + Send + Sync {
    /// One line for plans.
    fn describe(&self) -> String;
    /// Sends all rows, in the columns of the schema.
    fn send(&self, out: &Out) -> Result<(), QueryError>;
    /// What it would read.
    fn explain(&self) -> Result<Value, QueryError>;
}

/// Where rows go.
pub(crate) struct Out {
    schema: SchemaRef,
    sender: Sender<Result<RecordBatch>>,
    /// Nobody listens any more.
    left: AtomicBool,
}

impl Out {
    /// Sends so many rows in these columns; fails when nobody listens any more.
    pub fn send(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<(), QueryError> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|e| QueryError::damaged("filling a table", e))?;
        self.sender.blocking_send(Ok(batch)).map_err(|_| {
            self.left.store(true, Ordering::Relaxed);
            QueryError::Cancelled
        })
    }
}

/// The leaf.
#[derive(Debug)]
pub(crate) struct SourceExec {
    rows: Arc<dyn Rows>,
    properties: Arc<PlanProperties>,
    first: FirstError,
}

impl SourceExec {
    /// Over rows of this schema.
    pub fn new(rows: Arc<dyn Rows>, schema: SchemaRef, first: FirstError) -> SourceExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        SourceExec { rows, properties: Arc::new(properties), first }
    }

    /// What makes its rows.
    pub fn rows(&self) -> &dyn Rows {
        self.rows.as_ref()
    }
}

impl DisplayAs for SourceExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rows.describe())
    }
}

impl ExecutionPlan for SourceExec {
    fn name(&self) -> &str {
        "SourceExec"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }
    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let mut builder = RecordBatchReceiverStream::builder(Arc::clone(&schema), WAITING_MAX);
        let out = Out { schema, sender: builder.tx(), left: AtomicBool::new(false) };
        let (rows, first) = (Arc::clone(&self.rows), self.first.clone());
        builder.spawn_blocking(move || match rows.send(&out) {
            Err(error) if !out.left.load(Ordering::Relaxed) => Err(first.keep(error)),
            _ => Ok(()),
        });
        Ok(builder.build())
    }
}
