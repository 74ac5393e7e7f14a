//! A person's rights: to be forgotten, to take it back in time, to have everything.
//!
//! Guarantees: an erasure names every raw id that belongs to the person now; it can be taken back for seven days;
//! an export that breaks off is recognisable, because its last line is missing.
//! Deliberately not here: hiding and removing rows.

use crate::access::Access;
use crate::asking::look_up;
use crate::environment::Environment;
use crate::extract::{Body, Segments};
use crate::schemas::{EraseBody, ErasedSubjectBody, ErasureBody, ErasuresBody, ErrorBody};
use crate::{ApiError, ApiState, codes, time};
use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Value, json};
use tallymark_catalog::ErasureDocument;
use tallymark_insights::TimelineRequest;
use tallymark_model::{Erasure, Millis, ProjectId, SubjectKind};
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;

/// How long an erasure or a deletion can be taken back.
pub(crate) const UNDO_WITHIN: Millis = 7 * 86_400_000;
const EXPORT_PAGE: usize = 1_000;

#[derive(Debug, Deserialize)]
pub(crate) struct PersonPath {
    person: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ErasurePath {
    erasure: u32,
}

/// Wishes to forget persons, newest first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/erasures", tag = "persons", responses(
    (status = 200, body = ErasuresBody)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    access: Access,
) -> Result<Json<ErasuresBody>, ApiError> {
    let documents = state.parts.catalog.erasures(Some(access.project()?.id)).await?;
    Ok(Json(ErasuresBody { erasures: documents.into_iter().map(body_of).collect() }))
}

/// Forgets a person: queries stop counting them as soon as the log carries the wish; files follow after seven days.
#[utoipa::path(post, path = "/api/v1/projects/{project}/persons/{person}/erase", tag = "persons",
    request_body = EraseBody, responses((status = 202, body = ErasureBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 428, body = ErrorBody)))]
pub(crate) async fn erase(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<PersonPath>,
    Body(asked): Body<EraseBody>,
) -> Result<(StatusCode, Json<ErasureBody>), ApiError> {
    let project = access.project()?.id;
    Environment::read(&state).await?.confirm(asked.confirm.as_deref())?;
    if asked.reason.trim().is_empty() || asked.reason.chars().count() > 500 {
        return Err(ApiError::new(&codes::BAD_BODY, "`reason`: 1 to 500 characters, kept in the books"));
    }
    let person = look_up(&state, project, move |q, context| q.person(project, &path.person, context)).await?;
    let subjects = subjects(&person);
    if subjects.is_empty() {
        return Err(ApiError::new(&codes::NO_PERSON, "nobody with an id to forget is behind this"));
    }
    let made_at = time::now();
    let erasure = Erasure {
        id: 0,
        project,
        subjects,
        by: access.principal.actor(),
        reason: asked.reason,
        made_at,
        undo_until: made_at + UNDO_WITHIN,
        undone: false,
    };
    // The catalog writes the line of the audit trail in the same transaction.
    let document = state.parts.catalog.put_erasure(erasure).await?;
    Ok((StatusCode::ACCEPTED, Json(body_of(document))))
}

/// Takes an erasure back, within seven days.
#[utoipa::path(post, path = "/api/v1/projects/{project}/erasures/{erasure}/undo", tag = "persons", responses(
    (status = 200, body = ErasureBody), (status = 404, body = ErrorBody), (status = 410, body = ErrorBody)))]
pub(crate) async fn undo(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<ErasurePath>,
) -> Result<Json<ErasureBody>, ApiError> {
    let project = access.project()?.id;
    let known = state.parts.catalog.erasures(Some(project)).await?;
    let Some(document) = known.into_iter().find(|d| d.erasure.id == path.erasure) else {
        let why = format!("there is no erasure {} in this project", path.erasure);
        return Err(ApiError::new(&codes::NO_ERASURE, why));
    };
    if document.erasure.undone {
        return Ok(Json(body_of(document)));
    }
    if document.completed_at.is_some() || time::now() >= document.erasure.undo_until {
        let until = time::iso(document.erasure.undo_until);
        return Err(ApiError::new(&codes::UNDO_GONE, format!("it could be taken back until {until}")));
    }
    let undone = Erasure { undone: true, by: access.principal.actor(), ..document.erasure };
    Ok(Json(body_of(state.parts.catalog.put_erasure(undone).await?)))
}

/// Everything of one person as NDJSON: a `person`, their `event`s, newest first, and an `end` with the count. A file
/// without its `end` is incomplete.
#[utoipa::path(get, path = "/api/v1/projects/{project}/persons/{person}/export", tag = "persons", responses(
    (status = 200, body = String, content_type = "application/x-ndjson"), (status = 404, body = ErrorBody)))]
pub(crate) async fn export(
    State(state): State<ApiState>,
    access: Access,
    Segments(path): Segments<PersonPath>,
) -> Result<Response, ApiError> {
    let project = access.project()?.id;
    let name = path.person.clone();
    let person = look_up(&state, project, move |q, context| q.person(project, &name, context)).await?;
    // The id in the trail would survive an erasure: the trail says that something was exported, not of whom.
    state.audit(&access, "person.export", &format!("a person of project {project}")).await?;
    let (sender, receiver) = channel(4);
    tokio::spawn(async move {
        if let Err(error) = send_all(&state, project, path.person, person, &sender).await {
            tracing::warn!(%error, "an export broke off");
            let _ = sender.send(Err(error)).await;
        }
    });
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CONTENT_DISPOSITION, "attachment; filename=\"person.ndjson\""),
    ];
    Ok((headers, HttpBody::from_stream(ReceiverStream::new(receiver))).into_response())
}

type Line = Result<String, std::io::Error>;

/// A caller who goes away ends the export: nobody receives what is sent.
async fn send_all(
    state: &ApiState,
    project: ProjectId,
    name: String,
    person: Value,
    out: &Sender<Line>,
) -> Result<(), std::io::Error> {
    let mut text = format!("{}\n", json!({"type": "person", "person": person}));
    let (mut cursor, mut events) = (None, 0u64);
    loop {
        let request = TimelineRequest { limit: EXPORT_PAGE, cursor: cursor.take() };
        let who = name.clone();
        let page = look_up(state, project, move |q, context| q.timeline(project, &who, &request, context))
            .await
            .map_err(|e| std::io::Error::other(e.body().to_string()))?;
        for event in page["events"].as_array().into_iter().flatten() {
            text.push_str(&format!("{}\n", json!({"type": "event", "event": event})));
            events += 1;
        }
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            text.push_str(&format!("{}\n", json!({"type": "end", "events": events})));
        }
        if out.send(Ok(std::mem::take(&mut text))).await.is_err() || cursor.is_none() {
            return Ok(());
        }
    }
}

fn subjects(person: &Value) -> Vec<(SubjectKind, String)> {
    let ids = |key: &str, kind: SubjectKind| {
        let list = person[key].as_array().into_iter().flatten();
        list.filter_map(|id| Some((kind, id.as_str()?.to_owned()))).collect::<Vec<_>>()
    };
    let mut all = ids("user_ids", SubjectKind::User);
    all.extend(ids("device_ids", SubjectKind::Device));
    all
}

fn body_of(document: ErasureDocument) -> ErasureBody {
    let ErasureDocument { erasure, published_at, completed_at } = document;
    let state = match (erasure.undone, completed_at, published_at) {
        (true, ..) => "undone",
        (_, Some(_), _) => "done",
        (_, _, None) => "unpublished",
        _ if time::now() >= erasure.undo_until => "due",
        _ => "hidden",
    };
    let subject = |(kind, id): (SubjectKind, String)| {
        let kind = match kind {
            SubjectKind::User => "user",
            SubjectKind::Device => "device",
        };
        ErasedSubjectBody { kind: kind.to_owned(), id }
    };
    ErasureBody {
        id: erasure.id,
        // Once it is done nobody remembers whom it was about.
        subjects: if state == "done" { vec![] } else { erasure.subjects.into_iter().map(subject).collect() },
        by: erasure.by,
        reason: erasure.reason,
        made_at: time::iso(erasure.made_at),
        undo_until: time::iso(erasure.undo_until),
        undone: erasure.undone,
        published_at: published_at.map(time::iso),
        completed_at: completed_at.map(time::iso),
        state: state.to_owned(),
    }
}
