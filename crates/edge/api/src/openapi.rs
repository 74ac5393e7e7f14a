//! The API description, from the handlers' own annotations.
//!
//! Guarantees: every operation names the credential it needs and the shape of its errors; a test compares it with
//! the route table and with the committed `openapi.json`.
//! Deliberately not here: the vendors' ingestion paths, whose descriptions the vendors publish.

use crate::access::Action;
use crate::handlers::{
    books, cohorts, definitions, erasures, events, jobs, keys, letters, loss, operations, outcomes, people,
    persons, projects, query, receipts, rules, settings, sources, status, watch,
};
use crate::routes::route_table;
use crate::schemas::{AcceptedBody, ErrorBody, EventBody, NewEventsBody};
use crate::{codes, docs};
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Content, ObjectBuilder, OpenApi as Document, Ref, RefOr, Required, ResponseBuilder, Type,
};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tallymark",
        description = "Product analytics whose books balance. Keys go into `Authorization: Bearer KEY`; people use \
                       the session cookie and send `x-csrf-token` with writes."
    ),
    paths(
        people::session, people::set_up, people::log_in, people::log_out,
        projects::list, projects::create, projects::get, projects::change,
        keys::list, keys::create, keys::revoke, keys::list_admin, keys::create_admin, keys::revoke_admin,
        events::list, events::schema, persons::list, persons::get, persons::timeline,
        query::run, query::run_link, query::explain,
        cohorts::list, cohorts::create, cohorts::get, cohorts::change, cohorts::delete, cohorts::members,
        definitions::list, definitions::put, definitions::delete, definitions::versions,
        projects::delete, projects::restore,
        books::ledger, letters::list, letters::redrive, outcomes::get, loss::accounting, receipts::get,
        sources::list, sources::change, sources::end, sources::files,
        rules::list, rules::create, rules::preview, rules::update, rules::versions,
        erasures::list, erasures::undo, erasures::erase, erasures::export,
        watch::summary, watch::findings, watch::alerts, watch::acknowledge, watch::report, watch::estimates, watch::backups,
        watch::maintenances, watch::announce, watch::reschedule, watch::call_off,
        letters::list_unowned, letters::adopt, loss::report, settings::get, settings::change, settings::throttle, settings::set_throttle,
        jobs::list, jobs::create, jobs::scope, jobs::get, jobs::pause, jobs::resume, jobs::cancel,
        status::summary, status::status, status::components, status::incidents, status::unresolved,
        status::maintenances, status::upcoming, status::active, status::page, status::rss, status::atom,
        operations::audit, operations::status, operations::metrics, operations::live, operations::ready,
        docs::openapi, docs::browse, docs::errors, docs::error, append,
    ),
    components(schemas(ErrorBody, EventBody)),
    modifiers(&Common),
)]
struct Api;

/// Appends events. Served by the collector, described here. gzip, deflate, br and zstd are accepted; a write or
/// secret key is needed.
#[utoipa::path(post, path = "/api/v1/events", tag = "events", request_body = NewEventsBody,
    params(
        ("wait" = Option<String>, Query, description = "`durable` (default), or `visible`: answer when queries count them"),
        ("lane" = Option<String>, Query, description = "`live` (default), or `bulk` for imports"),
    ),
    security(("key" = [])),
    responses(
        (status = 200, body = AcceptedBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
#[allow(dead_code, reason = "the annotation is the point")]
fn append() {}

/// The API description.
pub fn document() -> Document {
    Api::openapi()
}

/// What all operations share.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("tallymark_session")));
        components.add_security_scheme("session", cookie);
        for route in route_table() {
            let Some(item) = document.paths.paths.get_mut(route.path) else { continue };
            let slot = match method(route.method) {
                HttpMethod::Get => &mut item.get,
                HttpMethod::Post => &mut item.post,
                HttpMethod::Put => &mut item.put,
                HttpMethod::Patch => &mut item.patch,
                _ => &mut item.delete,
            };
            if let Some(operation) = slot {
                operation.operation_id = Some(operation_id(route.method, route.path));
                complete(operation, route.path, route.action);
            }
        }
    }
}

fn method(name: &str) -> HttpMethod {
    match name {
        "GET" => HttpMethod::Get,
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        _ => HttpMethod::Delete,
    }
}

/// Unique, as the standard asks: `get_projects_project_sources`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.skip_while(|word| matches!(*word, "api" | "v1")).collect();
    let named = if words.is_empty() { "root".to_owned() } else { words.join("_") };
    format!("{}_{named}", method.to_lowercase())
}

fn complete(operation: &mut Operation, path: &str, action: Action) {
    let parameters = operation.parameters.get_or_insert_default();
    for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        if !parameters.iter().any(|p| matches!(p, RefOr::T(p) if p.name == name)) {
            parameters.insert(0, RefOr::T(path_parameter(name)));
        }
    }
    if action.is_public() {
        return;
    }
    let needs = |scheme: &str| SecurityRequirement::new(scheme, Vec::<String>::new());
    operation.security = Some(vec![needs("key"), needs("session")]);
    let error = ResponseBuilder::new()
        .description(format!("A documented error, such as {}", codes::NOT_SIGNED_IN.code))
        .content("application/json", Content::new(Some(Ref::from_schema_name("ErrorBody"))))
        .build();
    operation.responses.responses.insert("default".to_owned(), error.into());
}

fn path_parameter(name: &str) -> Parameter {
    let description = match name {
        "project" => "Id or name of the project",
        "person" => "Person id, user id or device id",
        "receipt" => "`receipt` of an answer to POST /api/v1/events",
        "code" => "Error code such as TM0201",
        _ => "Number from the list",
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}
