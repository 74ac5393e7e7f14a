//! Running blocking questions for callers who may go away.
//!
//! Guarantees: a question is cancelled when its asker disconnects; its place is given back when it has really
//! ended; a panic inside becomes an error of that question.
//! Deliberately not here: which question.

use crate::admission::Admission;
use crate::limits::Asker;
use crate::{ApiError, ApiState, Questions};
use tallymark_insights::{Error, QueryContext};
use tallymark_model::ProjectId;
use tallymark_query::Cancel;

/// Asks after waiting for a place among the analyses.
pub(crate) async fn analyse<T: Send + 'static>(
    state: &ApiState,
    asker: impl Into<Asker>,
    context: QueryContext,
    question: impl FnOnce(&dyn Questions, &QueryContext) -> Result<T, Error> + Send + 'static,
) -> Result<T, ApiError> {
    ask(state, &state.queries, asker.into(), context, question).await
}

/// Asks after waiting for a place among the short ones.
pub(crate) async fn look_up<T: Send + 'static>(
    state: &ApiState,
    project: ProjectId,
    question: impl FnOnce(&dyn Questions, &QueryContext) -> Result<T, Error> + Send + 'static,
) -> Result<T, ApiError> {
    ask(state, &state.lookups, project.into(), state.context(), question).await
}

async fn ask<T: Send + 'static>(
    state: &ApiState,
    gate: &Admission,
    asker: Asker,
    context: QueryContext,
    question: impl FnOnce(&dyn Questions, &QueryContext) -> Result<T, Error> + Send + 'static,
) -> Result<T, ApiError> {
    let _cancel = CancelWhenGone(context.cancel.clone());
    let place = gate.enter(asker.project, asker.limits.queries()).await?;
    let questions = state.parts.questions.clone();
    let task = tokio::task::spawn_blocking(move || {
        let _place = place;
        context.cancel.check()?;
        question(questions.as_ref(), &context)
    });
    match task.await {
        Ok(answer) => Ok(answer?),
        Err(failed) => Err(ApiError::internal(format!("a query ended abnormally: {failed}"))),
    }
}

/// Dropped together with the future of a request, which ends when its client disconnects.
struct CancelWhenGone(Cancel);

impl Drop for CancelWhenGone {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
