//! Dead letters: the list, and deciding them again with mended bytes.
//!
//! Guarantees: only letters that are dead now are redriven; mended bytes that still are no event are refused with
//! the reason; a try changes nothing.
//! Deliberately not here: deciding (`processor`, when it passes the control record).

use super::{Page, limit};
use crate::access::Access;
use crate::extract::{Body, Params};
use crate::mending::Mending;
use crate::schemas::{
    DeadLetterBody, DeadLettersBody, ErrorBody, ReasonBody, RedriveBody, RedriveItem, RedrivenBody,
    RedrivenLetterBody,
};
use crate::{ApiError, ApiState, ControlOrder, DeadLetter, codes, time};
use axum::Json;
use axum::extract::State;
use serde_json::Value;
use tallymark_model::{Control, Lane, Position, ProjectId, Redrive, WireFormat};

const LETTERS_MAX: usize = 10_000;
const LETTERS_DEFAULT: usize = 1_000;
/// Control records handed over at a time.
const ORDER_MAX: usize = 500;

/// Records that could not be stored, newest first, with the bytes that were sent.
#[utoipa::path(get, path = "/api/v1/projects/{project}/dead-letters", tag = "books", params(Page), responses(
    (status = 200, body = DeadLettersBody)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    access: Access,
    Params(page): Params<Page>,
) -> Result<Json<DeadLettersBody>, ApiError> {
    page_of(&state, access.project()?.id, &page).await
}

/// Records that belong to no project, because their key is unknown, newest first.
#[utoipa::path(get, path = "/api/v1/operations/dead-letters", tag = "operations", params(Page), responses(
    (status = 200, body = DeadLettersBody)))]
pub(crate) async fn list_unowned(
    State(state): State<ApiState>,
    Params(page): Params<Page>,
) -> Result<Json<DeadLettersBody>, ApiError> {
    page_of(&state, ProjectId::UNKNOWN, &page).await
}

/// Decides dead letters again: with mended bytes, by a mapping, or as they are.
#[utoipa::path(post, path = "/api/v1/projects/{project}/dead-letters/redrive", tag = "books",
    request_body = RedriveBody, responses((status = 200, body = RedrivenBody), (status = 400, body = ErrorBody)))]
pub(crate) async fn redrive(
    State(state): State<ApiState>,
    access: Access,
    Body(asked): Body<RedriveBody>,
) -> Result<Json<RedrivenBody>, ApiError> {
    let project = access.project()?.id;
    if asked.project.is_some() {
        return Err(ApiError::new(&codes::BAD_BODY, "`project`: these letters have one already"));
    }
    again(&state, &access, project, None, asked).await
}

/// Gives letters that belong to no project to one, and decides them again.
#[utoipa::path(post, path = "/api/v1/operations/dead-letters/redrive", tag = "operations",
    request_body = RedriveBody, responses((status = 200, body = RedrivenBody), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(crate) async fn adopt(
    State(state): State<ApiState>,
    access: Access,
    Body(asked): Body<RedriveBody>,
) -> Result<Json<RedrivenBody>, ApiError> {
    let Some(name) = &asked.project else {
        return Err(ApiError::new(&codes::BAD_BODY, "`project`: say whose they are from now on"));
    };
    let found = state.parts.catalog.project(name).await?;
    let owner = found.ok_or_else(|| {
        ApiError::new(&codes::NO_PROJECT, format!("`project`: there is no project {name:?}"))
    })?;
    again(&state, &access, ProjectId::UNKNOWN, Some(owner.id), asked).await
}

async fn page_of(
    state: &ApiState,
    project: ProjectId,
    page: &Page,
) -> Result<Json<DeadLettersBody>, ApiError> {
    let found =
        state.parts.outcomes.dead_letters(project, limit(page.limit)?, page.cursor.as_deref()).await?;
    Ok(Json(DeadLettersBody { dead: found.dead.into_iter().map(body_of).collect(), next: found.next }))
}

async fn again(
    state: &ApiState,
    access: &Access,
    project: ProjectId,
    owner: Option<ProjectId>,
    asked: RedriveBody,
) -> Result<Json<RedrivenBody>, ApiError> {
    let mended = match (&asked.reason, asked.items.is_empty()) {
        (None, _) if asked.mapping.is_empty() => by_hand(state, project, &asked.items).await?,
        (Some(reason), true) => by_reason(state, project, reason, &asked).await?,
        _ => {
            let why = "give either `items`, or a `reason` with or without a `mapping`";
            return Err(ApiError::new(&codes::BAD_BODY, why));
        }
    };
    let by = access.principal.actor();
    let mut order = ControlOrder::default();
    let mut letters = Vec::with_capacity(mended.len());
    for (position, mended) in mended {
        let decoded = mended.and_then(|(wire, body)| {
            let event = state.parts.records.decode(wire, &body).map_err(|r| r.message)?;
            Ok((wire, body, event))
        });
        let (event, body, error) = match decoded {
            Ok((wire, body, event)) => {
                let redrive = Redrive {
                    position,
                    project: owner,
                    wire,
                    body: body.clone(),
                    by: by.clone(),
                    made_at: time::now(),
                };
                order.at.push((position.shard(), Control::Redrive(redrive)));
                (Some(event), Some(body), None)
            }
            Err(why) => (None, None, Some(why)),
        };
        letters.push(RedrivenLetterBody { position: position.to_string(), event, body, error });
    }
    let redriven = order.at.len() as u64;
    if !asked.dry_run && redriven > 0 {
        let subject = format!("{redriven} letters of project {}", owner.unwrap_or(project));
        state.audit(access, "dead_letters.redrive", &subject).await?;
        for chunk in order.at.chunks(ORDER_MAX) {
            let order = ControlOrder { everywhere: Vec::new(), at: chunk.to_vec() };
            state.parts.control.append(order).await?;
        }
    }
    let refused = letters.len() as u64 - redriven;
    Ok(Json(RedrivenBody { dry_run: asked.dry_run, redriven, refused, letters }))
}

/// A letter's position with its mended bytes, or why there are none.
type Mended = (Position, Result<(WireFormat, String), String>);

async fn by_hand(
    state: &ApiState,
    project: ProjectId,
    items: &[RedriveItem],
) -> Result<Vec<Mended>, ApiError> {
    if items.is_empty() || items.len() > LETTERS_MAX {
        return Err(ApiError::new(
            &codes::BAD_BODY,
            format!("give a `reason`, or 1 to {LETTERS_MAX} `items`"),
        ));
    }
    let mut mended = Vec::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        let position = position(&format!("items[{i}].position"), &item.position)?;
        let letter = state.parts.outcomes.dead_letter(project, position).await?;
        let result = letter
            .map(|letter| {
                let body = match &item.body {
                    None => String::from_utf8_lossy(&letter.body).into_owned(),
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                };
                (item.wire.unwrap_or(letter.wire), body)
            })
            .ok_or_else(|| "there is no dead letter of this project here (any more)".to_owned());
        mended.push((position, result));
    }
    Ok(mended)
}

async fn by_reason(
    state: &ApiState,
    project: ProjectId,
    reason: &str,
    asked: &RedriveBody,
) -> Result<Vec<Mended>, ApiError> {
    let wanted = asked.limit.unwrap_or(LETTERS_DEFAULT).min(LETTERS_MAX);
    let mending = Mending::compile(&asked.mapping).map_err(|why| ApiError::new(&codes::BAD_MAPPING, why))?;
    let (mut mended, mut cursor) = (Vec::new(), None);
    loop {
        let page = state.parts.outcomes.dead_letters(project, 500, cursor.as_deref()).await?;
        for letter in page.dead.into_iter().filter(|l| l.reason.code == reason) {
            if mended.len() == wanted {
                return Ok(mended);
            }
            let sent = String::from_utf8_lossy(&letter.body);
            let body = if asked.mapping.is_empty() { Ok(sent.into_owned()) } else { mending.apply(&sent) };
            mended.push((letter.position, body.map(|body| (letter.wire, body))));
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(mended),
        }
    }
}

/// `lane/partition@offset`.
pub(crate) fn position(name: &str, text: &str) -> Result<Position, ApiError> {
    let parsed = || {
        let (shard, offset) = text.trim().split_once('@')?;
        let (lane, partition) = shard.split_once('/')?;
        let partition: u16 = partition.parse().ok().filter(|p| *p < (1 << 14))?;
        let offset = offset.parse().ok().filter(|o| *o <= Position::OFFSET_MAX)?;
        Some(Position { lane: Lane::from_name(lane)?, partition, offset })
    };
    parsed()
        .ok_or_else(|| ApiError::parameter(name, format!("{text:?} is not a position such as live/0@123")))
}

fn body_of(letter: DeadLetter) -> DeadLetterBody {
    DeadLetterBody {
        lane: letter.position.lane.to_string(),
        partition: letter.position.partition,
        offset: letter.position.offset,
        position: letter.position.to_string(),
        received_at: time::iso(letter.received_at),
        reason: ReasonBody { code: letter.reason.code, message: letter.reason.message },
        wire: wire_name(letter.wire),
        body: String::from_utf8_lossy(&letter.body).into_owned(),
    }
}

/// The name under which a protocol is written in JSON.
pub(crate) fn wire_name(wire: WireFormat) -> String {
    serde_json::to_value(wire).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_they_are_written() {
        let at = Position { lane: Lane::Bulk, partition: 3, offset: 77 };
        assert_eq!(position("p", &at.to_string()).unwrap(), at);
        for bad in ["", "live", "live/0", "live/0@", "live/x@1", "fast/0@1", "live/0@-1", "live/99999@1"] {
            assert!(position("p", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn protocols_have_names() {
        assert_eq!(wire_name(WireFormat::NativeV1), "native_v1");
    }
}
