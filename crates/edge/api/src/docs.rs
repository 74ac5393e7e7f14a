//! Pages for people: the API description, browsable, and the error codes.
//!
//! Guarantees: self-contained HTML without scripts; made from the same document that programs read.
//! Deliberately not here: guides (the repository's `docs`).

use crate::codes::{self, CODES, Code};
use crate::extract::Segments;
use crate::{ApiError, openapi::document};
use axum::response::Html;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// The committed form: stable order, indented.
pub(crate) static OPENAPI: LazyLock<String> = LazyLock::new(|| {
    let mut text = document().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
});

static BROWSE: LazyLock<String> =
    LazyLock::new(|| browse_page(&serde_json::from_str(&OPENAPI).unwrap_or_default()));

#[derive(Debug, Deserialize)]
pub(crate) struct CodePath {
    code: String,
}

/// The API description for programs.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "documents", responses((status = 200, body = Object)))]
pub(crate) async fn openapi() -> ([(http::HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], OPENAPI.as_str())
}

/// The API description for people.
#[utoipa::path(get, path = "/api/docs", tag = "documents", responses((status = 200, body = String)))]
pub(crate) async fn browse() -> Html<&'static str> {
    Html(BROWSE.as_str())
}

/// All error codes.
#[utoipa::path(get, path = "/docs/errors", tag = "documents", responses((status = 200, body = String)))]
pub(crate) async fn errors() -> Html<String> {
    let mut body = String::from("<h1>Error codes</h1>");
    CODES.iter().for_each(|c| body.push_str(&section(c)));
    Html(page("Error codes", &body))
}

/// One error code.
#[utoipa::path(get, path = "/docs/errors/{code}", tag = "documents", responses((status = 200, body = String)))]
pub(crate) async fn error(Segments(path): Segments<CodePath>) -> Result<Html<String>, ApiError> {
    let wanted = path.code.trim_end_matches(".md").to_ascii_uppercase();
    let found = codes::find(&wanted)
        .ok_or_else(|| ApiError::new(&codes::NOT_FOUND, format!("there is no error code {wanted:?}")))?;
    let body = format!("{}<p><a href=\"/docs/errors\">All error codes</a></p>", section(found));
    Ok(Html(page(found.code, &body)))
}

fn section(c: &Code) -> String {
    let status =
        if c.status == 0 { "logs and command line".to_owned() } else { format!("HTTP {}", c.status) };
    format!(
        "<section id=\"{0}\"><h2>{0} <small>{status}</small></h2><p><b>{1}.</b></p><p>{2}</p></section>",
        c.code,
        escape(c.title),
        escape(c.remedy)
    )
}

fn browse_page(document: &Value) -> String {
    let mut body = String::from(
        "<h1>Tallymark API</h1><p>Keys go into the header <code>Authorization: Bearer KEY</code>. \
         For programs: <a href=\"/api/v1/openapi.json\">openapi.json</a>. \
         Errors: <a href=\"/docs/errors\">all codes</a>.</p>",
    );
    let empty = serde_json::Map::new();
    for (path, item) in document["paths"].as_object().unwrap_or(&empty) {
        for (method, operation) in item.as_object().unwrap_or(&empty) {
            body.push_str(&operation_html(method, path, operation));
        }
    }
    body.push_str("<h2>Shapes</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().unwrap_or(&empty) {
        let text = serde_json::to_string_pretty(schema).unwrap_or_default();
        let _ = write!(
            body,
            "<details id=\"{0}\"><summary>{0}</summary><pre>{1}</pre></details>",
            escape(name),
            escape(&text)
        );
    }
    page("Tallymark API", &body)
}

fn operation_html(method: &str, path: &str, operation: &Value) -> String {
    let text = |v: &Value| escape(v.as_str().unwrap_or_default());
    let mut out = format!(
        "<details><summary><code><b>{}</b> {}</code> {}</summary>",
        method.to_ascii_uppercase(),
        escape(path),
        text(&operation["summary"])
    );
    let access =
        if operation["security"].is_array() { "Needs a key or a session." } else { "Open to everybody." };
    let _ = write!(out, "<p>{} {access}</p>", text(&operation["description"]));
    for p in operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let _ = write!(
            out,
            "<p><code>{}</code> ({}) {}</p>",
            text(&p["name"]),
            text(&p["in"]),
            text(&p["description"])
        );
    }
    if let Some(name) = shape(&operation["requestBody"]["content"]) {
        let _ = write!(out, "<p>Body: {name}</p>");
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let name = shape(&response["content"]).unwrap_or_default();
        let _ = write!(out, "<p>{} {} {name}</p>", escape(status), text(&response["description"]));
    }
    out + "</details>"
}

/// A link to the shape of a body.
fn shape(content: &Value) -> Option<String> {
    let schema = content.as_object()?.values().next()?;
    let name = escape(schema["schema"]["$ref"].as_str()?.rsplit('/').next()?);
    Some(format!("<a href=\"#{name}\">{name}</a>"))
}

fn page(title: &str, body: &str) -> String {
    let style = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
                 color-scheme:light dark}summary{cursor:pointer;padding:.3rem 0}pre{overflow:auto;padding:1rem;\
                 border:1px solid #8884;border-radius:6px}small{opacity:.7;font-weight:normal}";
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title><style>{style}</style></head>\
         <body>{body}</body></html>",
        escape(title)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
