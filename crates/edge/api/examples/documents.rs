//! Writes the files that are made from the API's code: `openapi.json` beside the crate, and `docs/errors.md`.
//! Run it from anywhere in the repository after changing routes, shapes or codes; tests compare the files.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = tallymark_api::openapi_document().to_pretty_json().map_err(std::io::Error::other)?;
    text.push('\n');
    std::fs::write(here.join("openapi.json"), text)?;
    std::fs::write(here.join("../../../docs/errors.md"), tallymark_api::codes::markdown())
}
