//! First start: the admin key of this machine's CLI, the project named by the environment, the set-up code.
//!
//! Guarantees: keys from the environment are used on an empty data folder only; no key is ever a default; the
//! set-up code changes with every start until it is used, and is shown on the operator's console alone.

use crate::layout::write_private;
use crate::secrets::Secrets;
use crate::{Layout, ServerError};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tallymark_catalog::sqlite::{OpenMode, SqliteCatalog};
use tallymark_catalog::{Accounts, KeyKind, NewKey, NewProject, Settings};

/// Shortest accepted key, characters.
const KEY_CHARS_MIN: usize = 16;
/// Name of the project that demo data goes to.
const DEMO_PROJECT: &str = "demo";

/// What `TALLYMARK_BOOTSTRAP_*` asks for.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    project: Option<String>,
    timezone: Option<String>,
    write: Option<String>,
    secret: Option<String>,
    admin: Option<String>,
}

/// What the operator should be told.
#[derive(Debug, Clone, Default)]
pub struct Admin {
    /// The code for the first person, as long as there is none.
    pub setup_code: Option<String>,
    /// Where the demo sends to.
    pub demo_write_key: Option<String>,
}

/// Reads and checks the environment, before anything starts.
pub fn keys_from_environment() -> Result<Keys, ServerError> {
    let read = |variable: &'static str| std::env::var(variable).ok().filter(|v| !v.is_empty());
    let key = |variable: &'static str| match read(variable) {
        Some(value) if value.chars().count() < KEY_CHARS_MIN => Err(ServerError::WeakKey { variable }),
        other => Ok(other),
    };
    let timezone = read("TALLYMARK_BOOTSTRAP_TIMEZONE");
    if let Some(zone) = &timezone {
        jiff::tz::TimeZone::get(zone).map_err(|_| ServerError::Zone(zone.clone()))?;
    }
    Ok(Keys {
        project: read("TALLYMARK_BOOTSTRAP_PROJECT"),
        timezone,
        write: key("TALLYMARK_BOOTSTRAP_WRITE_KEY")?,
        secret: key("TALLYMARK_BOOTSTRAP_SECRET_KEY")?,
        admin: key("TALLYMARK_BOOTSTRAP_ADMIN_KEY")?,
    })
}

/// Brings the instance to the point where the CLI and the first person can get in.
pub async fn instance(
    layout: &Layout,
    keys: &Keys,
    demo: bool,
    address: SocketAddr,
) -> Result<Admin, ServerError> {
    let catalog = SqliteCatalog::open(&layout.catalog(), OpenMode::Create).await?;
    Secrets::of(layout).seal_stored(&catalog).await;
    let empty = catalog.projects().await?.is_empty() && catalog.keys(None).await?.is_empty();
    if let (true, Some(name)) = (empty, &keys.project) {
        let project = NewProject {
            name: name.clone(),
            timezone: keys.timezone.clone().unwrap_or_default(),
            write_key: keys.write.clone(),
            secret_key: keys.secret.clone(),
            ..NewProject::default()
        };
        catalog.create_project(project).await?;
    }
    let mut admin = Admin::default();
    if demo {
        admin.demo_write_key = Some(demo_project(&catalog).await?);
    }
    let admin_key = admin_key(layout, &catalog, keys.admin.as_deref().filter(|_| empty)).await?;
    let local = json!({"url": format!("http://{}", reachable(address)), "admin_key": admin_key});
    write_private(&layout.local(), &local.to_string())?;
    let code = setup_code();
    if catalog.offer_setup(&code).await? {
        admin.setup_code = Some(code);
    }
    catalog.close().await;
    Ok(admin)
}

async fn demo_project(catalog: &SqliteCatalog) -> Result<String, ServerError> {
    if let Some(project) = catalog.project(DEMO_PROJECT).await? {
        return Ok(project.write_key);
    }
    let new = NewProject { name: DEMO_PROJECT.to_owned(), ..NewProject::default() };
    Ok(catalog.create_project(new).await?.write_key)
}

/// The key the CLI on this machine uses: kept from the last start, given, or made now.
async fn admin_key(
    layout: &Layout,
    catalog: &SqliteCatalog,
    given: Option<&str>,
) -> Result<String, ServerError> {
    let kept =
        std::fs::read_to_string(layout.local()).ok().and_then(|t| serde_json::from_str::<Value>(&t).ok());
    if let Some(key) = kept.as_ref().and_then(|k| k["admin_key"].as_str())
        && catalog.verify_key(key).await?.is_some_and(|v| v.kind == KeyKind::Admin)
    {
        return Ok(key.to_owned());
    }
    let new = NewKey {
        kind: KeyKind::Admin,
        project: None,
        name: "this machine".to_owned(),
        value: given.map(str::to_owned),
    };
    Ok(catalog.create_key(new).await?.value)
}

fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("127.0.0.1:{}", address.port()) } else { address.to_string() }
}

/// 12 characters of an alphabet without look-alikes: 60 bits, one use, gone at the next start.
fn setup_code() -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let bytes: [u8; 12] = rand::random();
    let letters: Vec<char> = bytes.iter().map(|b| char::from(ALPHABET[usize::from(b % 32)])).collect();
    letters.chunks(4).map(|c| c.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_up_codes_are_readable_and_differ() {
        let code = setup_code();
        assert_eq!(code.len(), 14);
        assert!(
            code.chars().all(|c| c == '-' || (c.is_ascii_alphanumeric() && !"IO01".contains(c))),
            "{code}"
        );
        assert_ne!(code, setup_code());
    }

    #[tokio::test]
    async fn a_second_start_keeps_the_admin_key_and_replaces_the_code() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        layout.create().unwrap();
        let keys = Keys { project: Some("shop".into()), ..Keys::default() };
        let address = "127.0.0.1:1".parse().unwrap();
        let first = instance(&layout, &keys, true, address).await.unwrap();
        let local = std::fs::read_to_string(layout.local()).unwrap();
        let second = instance(&layout, &keys, true, address).await.unwrap();
        assert_eq!(local, std::fs::read_to_string(layout.local()).unwrap());
        assert_ne!(first.setup_code, second.setup_code);
        assert_eq!(first.demo_write_key, second.demo_write_key);
        let catalog = SqliteCatalog::open(&layout.catalog(), OpenMode::Existing).await.unwrap();
        let names: Vec<String> = catalog.projects().await.unwrap().into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["shop", "demo"]);
    }
}
