//! Places where a test makes the process die, to prove that dying there loses nothing.

/// Aborts the process if the environment variable `TALLYMARK_FAILPOINT` names this place.
pub(crate) fn failpoint(place: &str) {
    if std::env::var_os("TALLYMARK_FAILPOINT").is_some_and(|wanted| wanted == place) {
        tracing::error!(place, "aborting at the failpoint");
        std::process::abort();
    }
}
