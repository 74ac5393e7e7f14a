//! Metrics of all processes on one page: each writes its own text into the run folder, web reads them together.

use crate::Layout;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a process writes its figures.
const INTERVAL: Duration = Duration::from_secs(5);

/// Starts measuring in this process; `None` if something else already does (tests).
pub fn start() -> Option<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().map_err(|error| tracing::warn!(%error, "no metrics")).ok()
}

/// Writes this process's figures until told to stop.
pub fn publish(layout: &Layout, role: &'static str, stop: CancellationToken) {
    let Some(handle) = start() else { return };
    let path = file(layout, role);
    tokio::spawn(async move {
        while !stop.is_cancelled() {
            if let Err(error) = crate::layout::write_private(&path, &labelled(&handle.render(), role)) {
                tracing::debug!(%error, "metrics not written");
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = stop.cancelled() => {}
            }
        }
    });
}

/// This process's figures and those the others wrote last.
pub fn page(layout: &Layout, own: Option<PrometheusHandle>) -> impl Fn() -> String + Send + Sync + use<> {
    let others = ["collect", "process"].map(|role| file(layout, role));
    move || {
        let mut text = own.as_ref().map(|h| labelled(&h.render(), "web")).unwrap_or_default();
        text.extend(others.iter().filter_map(|path| std::fs::read_to_string(path).ok()));
        text
    }
}

fn file(layout: &Layout, role: &str) -> PathBuf {
    layout.run().join(format!("metrics-{role}.prom"))
}

/// Adds `role="…"` to every sample, so that equal names of different processes stay apart.
fn labelled(text: &str, role: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    for line in text.lines() {
        match line.split_once(['{', ' ']) {
            Some((name, rest)) if !line.starts_with('#') => {
                let inside = line.as_bytes().get(name.len()) == Some(&b'{');
                let (open, separator) = if inside {
                    (format!("{{role=\"{role}\""), ",")
                } else {
                    (format!("{{role=\"{role}\"}} "), "")
                };
                out.extend([name, &open, separator, rest, "\n"]);
            }
            _ => out.extend([line, "\n"]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_get_their_role() {
        let text = "# TYPE a counter\na 1\nb{x=\"y\"} 2\n";
        assert_eq!(labelled(text, "web"), "# TYPE a counter\na{role=\"web\"} 1\nb{role=\"web\",x=\"y\"} 2\n");
    }
}
