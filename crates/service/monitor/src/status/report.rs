//! The draft of a report about an incident, from what was recorded: nobody has to collect it by hand.
//!
//! Guarantees: only what the store holds; what is not known is left open, not made up.
//! Deliberately not here: causes beyond what monitors found. Those are for people to write.

use super::{duration_text, time_text};
use crate::config::PublicConfig;
use crate::facts::LossStatement;
use crate::incident::Incident;
use crate::status::judge;
use crate::store::{Delivery, EtaRun, WatchSnapshot, WatchStore};
use crate::{Affected, MonitorError};
use tallymark_model::Millis;

/// As Markdown, for operators. `None` if there is no such incident.
pub async fn report(store: &WatchStore, incident: &str, now: Millis) -> Result<Option<String>, MonitorError> {
    let Some(incident) = store.incident(incident).await? else { return Ok(None) };
    let deliveries = store.deliveries(&incident.id).await?;
    let end = incident.resolved_at.unwrap_or(now);
    let runs = store.eta_runs(50).await?;
    let runs: Vec<EtaRun> = runs
        .into_iter()
        .filter(|r| r.started_at <= end && r.drained_at.unwrap_or(now) >= incident.opened_at)
        .collect();
    Ok(Some(render(&incident, &deliveries, &runs, store.snapshot().await?.as_ref(), now)))
}

fn render(
    incident: &Incident,
    deliveries: &[Delivery],
    runs: &[EtaRun],
    snapshot: Option<&WatchSnapshot>,
    now: Millis,
) -> String {
    let mut out = vec![format!("# {}", incident.title), String::new()];
    out.extend(summary(incident, now));
    out.extend(section("What was found", found(incident)));
    out.extend(section("Affected", affected(incident)));
    out.extend(section("Timeline", timeline(incident, deliveries)));
    out.extend(section("Estimates", estimates(runs)));
    let statement: Option<&LossStatement> = snapshot.and_then(|s| s.loss.as_ref());
    let findings = snapshot.map_or(&[][..], |s| &s.findings);
    out.extend(section("Losses", vec![judge(statement, findings, now).sentence(true)]));
    out.extend(section("Cause and what we change", vec!["To be written.".to_owned()]));
    out.join("\n")
}

fn summary(incident: &Incident, now: Millis) -> Vec<String> {
    let end = incident.resolved_at.unwrap_or(now);
    let config = PublicConfig::default();
    let components: Vec<String> = incident.components().into_iter().map(|c| config.name_of(c)).collect();
    let until =
        incident.resolved_at.map_or("still open".to_owned(), |at| format!("resolved {}", time_text(at)));
    let mut lines = vec![
        format!(
            "- Opened {}, {until} ({}).",
            time_text(incident.opened_at),
            duration_text(end - incident.opened_at)
        ),
        format!(
            "- Wrong for {} in sum; it came back {} times.",
            duration_text(incident.wrong_ms),
            incident.returns
        ),
        format!("- Severity {}; components: {}.", incident.severity.name(), components.join(", ")),
    ];
    lines.push(match &incident.acknowledged {
        Some(ack) => {
            format!("- Acknowledged by {} after {}.", ack.by, duration_text(ack.at - incident.opened_at))
        }
        None => "- Nobody acknowledged it.".to_owned(),
    });
    lines
}

fn found(incident: &Incident) -> Vec<String> {
    let line = |f: &crate::incident::IncidentFinding| {
        let span = format!("{} to {}", time_text(f.first_seen), time_text(f.last_seen));
        format!("- {} ({}, {span}): {}", f.finding.title, f.finding.monitor, f.finding.detail)
    };
    incident.findings.iter().map(line).collect()
}

fn affected(incident: &Incident) -> Vec<String> {
    let projects: Vec<String> = incident.projects().iter().map(ToString::to_string).collect();
    let mut lines: Vec<String> = incident.affected().iter().map(|a| format!("- {}", place(a))).collect();
    if !projects.is_empty() {
        lines.insert(0, format!("- Projects: {}", projects.join(", ")));
    }
    lines
}

fn place(affected: &Affected) -> String {
    let parts = [
        affected.interval.map(|i| i.to_string()),
        affected.received.map(|(a, b)| format!("received {} to {}", time_text(a), time_text(b))),
        affected.count.map(|n| format!("{n} events")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn timeline(incident: &Incident, deliveries: &[Delivery]) -> Vec<String> {
    let said = incident.updates.iter().map(|u| {
        let text = u.text.replace('\n', "\n  ");
        (u.at, format!("{} ({}): {text}", u.state.name(), u.by))
    });
    let told = deliveries.iter().map(|d| match d.sent_at {
        Some(at) => (at, format!("told `{}` ({}, attempt {})", d.channel, d.reason, d.attempts)),
        None => {
            let error = d.error.as_deref().unwrap_or("not tried yet");
            (d.created_at, format!("could not tell `{}` ({}): {error}", d.channel, d.reason))
        }
    });
    let mut lines: Vec<(Millis, String)> = said.chain(told).collect();
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(at, text)| format!("- {} {text}", time_text(at))).collect()
}

fn estimates(runs: &[EtaRun]) -> Vec<String> {
    runs.iter().flat_map(|run| {
        let end = run.drained_at.map_or("not over yet".to_owned(), time_text);
        let mut lines = vec![format!("Lane {}: backlog from {}, worked off {end}.", run.lane, time_text(run.started_at))];
        if let Some((score, error)) = run.score.and_then(|s| Some((s, s.error_max?))) {
            lines.push(format!(
                "From minute 5 on: error at most {:.0} %, the end inside the range in {:.0} % of {} estimates.",
                error * 100.0,
                score.inside_share.unwrap_or(0.0) * 100.0,
                score.points
            ));
        }
        lines.extend([String::new(), "| shown at | end shown | error |".to_owned(), "| --- | --- | --- |".to_owned()]);
        lines.extend(run.points.iter().map(|p| {
            let shown = p.ends_at.map_or("no end in sight".to_owned(), |e| time_text(e.1));
            let error = p.error.map_or(String::new(), |e| format!("{:+.0} %", e * 100.0));
            format!("| {} | {shown} | {error} |", time_text(p.at))
        }));
        lines.push(String::new());
        lines
    }).collect()
}

fn section(title: &str, lines: Vec<String>) -> Vec<String> {
    let lines = if lines.is_empty() { vec!["Nothing on record.".to_owned()] } else { lines };
    [String::new(), format!("## {title}"), String::new()].into_iter().chain(lines).collect()
}
