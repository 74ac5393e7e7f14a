//! Running a statement: on a thread of its own, watched.
//!
//! Guarantees: the thread has a stack for the deepest statement that `check` lets pass; cancellation and the time
//! limit are looked at between any two steps of the plan, and a step that takes long does not hold up the asker;
//! a panic of the library is an error of the statement.

use crate::answer::{self, Page};
use crate::error::FirstError;
use crate::functions::Functions;
use crate::session::{self, Planned};
use crate::tables::Scene;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tallymark_query::{Context, QueryError, Snapshot, Sql, SqlAnswer, SqlColumn, SqlQuestion};

/// Only what is touched of it becomes memory.
const STACK_BYTES: usize = 256 << 20;
/// How often cancellation is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long a step of the plan may go on after the query should have ended, before it is left alone.
const GRACE: Duration = Duration::from_secs(5);

/// Most statements that were left alone and have not ended; more are not begun meanwhile.
const LEFT_MAX: usize = 4;

/// SQL on DataFusion.
#[derive(Debug)]
pub struct DataFusionSql {
    functions: Functions,
    /// Statements that were left alone and have not ended.
    left: Arc<AtomicUsize>,
}

impl DataFusionSql {
    /// With the functions that statements may call.
    pub fn new() -> DataFusionSql {
        DataFusionSql { functions: Functions::new(), left: Arc::default() }
    }

    fn on_own_thread<T: Send + 'static>(
        &self,
        snapshot: &Snapshot,
        question: &SqlQuestion,
        context: &Context,
        work: impl FnOnce(Scene, Functions) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, QueryError> {
        let scene = Scene {
            snapshot: snapshot.clone(),
            question: question.clone(),
            context: context.clone(),
            first: FirstError::default(),
        };
        let functions = self.functions.clone();
        watched(context, &self.left, move || work(scene, functions))
    }
}

impl Default for DataFusionSql {
    fn default() -> Self {
        DataFusionSql::new()
    }
}

impl Sql for DataFusionSql {
    fn answer(
        &self,
        snapshot: &Snapshot,
        question: &SqlQuestion,
        context: &Context,
    ) -> Result<SqlAnswer, QueryError> {
        self.on_own_thread(snapshot, question, context, |scene, functions| {
            block_on(async {
                let planned = session::plan(&scene, &functions).await?;
                match planned.explain {
                    true => explained(&planned),
                    false => rows(&scene, &planned).await,
                }
            })
        })
    }

    fn explain(
        &self,
        snapshot: &Snapshot,
        question: &SqlQuestion,
        context: &Context,
    ) -> Result<Value, QueryError> {
        self.on_own_thread(snapshot, question, context, |scene, functions| {
            block_on(async {
                let planned = session::plan(&scene, &functions).await?;
                let mut scans = Vec::new();
                session::leaves(&planned.plan, &mut scans)?;
                Ok(json!({"plan": session::plan_text(&planned.plan), "scans": scans}))
            })
        })
    }
}

/// Runs blocking work on a thread with a deep stack, and returns when it ends or should have ended.
pub(crate) fn watched<T: Send + 'static>(
    context: &Context,
    left: &Arc<AtomicUsize>,
    work: impl FnOnce() -> Result<T, QueryError> + Send + 'static,
) -> Result<T, QueryError> {
    if left.load(Ordering::Relaxed) >= LEFT_MAX {
        let text = "statements that should have ended are still busy; try again later";
        return Err(QueryError::storage("running SQL", text));
    }
    let (sender, receiver) = channel();
    let state = Arc::new(AtomicU8::new(RUNNING));
    let ended = Ended { state: Arc::clone(&state), left: Arc::clone(left) };
    let spawned =
        std::thread::Builder::new().name("sql".to_owned()).stack_size(STACK_BYTES).spawn(move || {
            let _ended = ended;
            let _ = sender.send(work());
        });
    spawned.map_err(|e| QueryError::storage("starting a thread for SQL", e))?;
    let mut over: Option<Instant> = None;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(QueryError::damaged(
                    "running SQL",
                    "the statement's thread failed; this is a defect, please report it",
                ));
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Err(error) = context.cancel.check()
                    && over.get_or_insert_with(Instant::now).elapsed() >= GRACE
                {
                    left.fetch_add(1, Ordering::Relaxed);
                    if state.compare_exchange(RUNNING, ALONE, Ordering::SeqCst, Ordering::SeqCst).is_err() {
                        left.fetch_sub(1, Ordering::Relaxed);
                    }
                    return Err(error);
                }
            }
        }
    }
}

const RUNNING: u8 = 0;
/// Nobody waits for it any more.
const ALONE: u8 = 1;
const ENDED: u8 = 2;

/// Dropped when a statement's thread ends.
#[derive(Debug)]
struct Ended {
    state: Arc<AtomicU8>,
    left: Arc<AtomicUsize>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if self.state.swap(ENDED, Ordering::SeqCst) == ALONE {
            self.left.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn block_on<T>(work: impl Future<Output = Result<T, QueryError>>) -> Result<T, QueryError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.map_err(|e| QueryError::storage("starting a runtime for SQL", e))?.block_on(work)
}

async fn rows(scene: &Scene, planned: &Planned) -> Result<SqlAnswer, QueryError> {
    let failed = |e| scene.first.instead_of(e);
    let mut stream = execute_stream(planned.plan.clone(), planned.state.task_ctx()).map_err(failed)?;
    let mut page = Page::new(&stream.schema(), scene.question.limit, &scene.context.budget);
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => scene.context.cancel.check()?,
            batch = stream.next() => match batch {
                None => break,
                Some(batch) => {
                    scene.context.cancel.check()?;
                    if page.add(&batch.map_err(failed)?)? {
                        break;
                    }
                }
            },
        }
    }
    Ok(page.finish())
}

fn explained(planned: &Planned) -> Result<SqlAnswer, QueryError> {
    let mut scans = Vec::new();
    session::leaves(&planned.plan, &mut scans)?;
    let column = |name: &str| SqlColumn { name: name.to_owned(), kind: answer::TEXT };
    let mut rows = vec![vec![json!("plan"), json!(session::plan_text(&planned.plan))]];
    rows.extend(scans.iter().map(|scan| vec![json!("scan"), json!(scan.to_string())]));
    Ok(SqlAnswer { columns: vec![column("part"), column("text")], rows, truncated: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_thread_is_an_error_and_a_stuck_one_is_left_alone() {
        let context = Context::default();
        let left = Arc::default();
        let failed: Result<(), _> = watched(&context, &left, || panic!("on purpose"));
        assert!(matches!(failed, Err(QueryError::Storage { .. })));
        context.cancel.cancel();
        let stuck = watched(&context, &left, || {
            std::thread::sleep(GRACE * 3);
            Ok(())
        });
        assert!(matches!(stuck, Err(QueryError::Cancelled)));
        assert_eq!(left.load(Ordering::Relaxed), 1);
        left.store(LEFT_MAX, Ordering::Relaxed);
        let refused = watched(&context, &left, || Ok(()));
        assert!(matches!(refused, Err(QueryError::Storage { retryable: true, .. })));
    }
}
