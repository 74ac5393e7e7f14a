//! The web app's files, inside the binary.
//!
//! Guarantees: paths without a file are the app's own routes and get its index; files under `assets/` have a hash
//! in their name and may be cached for ever, everything else is revalidated; the build works without the app.
//! Deliberately not here: building the app (`web`).

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Method, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../../../web/dist"]
#[allow_missing = true]
struct App;

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tallymark</title>\
    <body><h1>The web app is not part of this build</h1><p>Run <code>make run</code>, or build it with \
    <code>npm ci &amp;&amp; npm run build</code> in <code>web/</code> and build the server again. \
    The API works: see <a href=\"/api/docs\">/api/docs</a>.</p></body></html>";

/// Answers a request for a file or a route of the app.
pub(crate) fn serve(request: &Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    let known = request.headers().get(IF_NONE_MATCH);
    if let Some(file) = App::get(path).filter(|_| !path.is_empty()) {
        return answer(path, file, known);
    }
    // A missing asset is an error, not the app: a browser must not take HTML for a script.
    if path.starts_with("assets/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    match App::get("index.html") {
        Some(index) => answer("index.html", index, known),
        None => {
            (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT).into_response()
        }
    }
}

fn answer(path: &str, file: EmbeddedFile, known: Option<&HeaderValue>) -> Response {
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|b| format!("{b:02x}")).collect();
    let etag = format!("\"{hash}\"");
    let caching =
        if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    if known.is_some_and(|k| k.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, etag), (CACHE_CONTROL, caching.to_owned())])
            .into_response();
    }
    let media_type = match file.metadata.mimetype() {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    };
    let headers = [(CONTENT_TYPE, media_type), (ETAG, etag), (CACHE_CONTROL, caching.to_owned())];
    (headers, Bytes::from(file.data.into_owned())).into_response()
}
