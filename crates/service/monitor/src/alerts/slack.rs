//! The message that Slack, and everything that imitates it, understands.
//!
//! Guarantees: what the message quotes cannot become a link or a mention; within Slack's limits of length.
//! Deliberately not here: Slack's API beyond incoming webhooks.

use super::Notice;
use crate::config::Audience;
use crate::status::time_text;
use serde_json::json;
use tallymark_model::Value;

const HEADER_MAX: usize = 150;
const SECTION_MAX: usize = 2_900;
const FINDINGS_MAX: usize = 10;

/// `{"text", "blocks"}`.
pub fn message(notice: &Notice) -> Value {
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": cut(&notice.headline(), HEADER_MAX)}}),
        section(&escape(&notice.text)),
    ];
    for finding in notice.findings.iter().take(FINDINGS_MAX) {
        let text = format!(
            "*{}* ({}, since {})\n{}\nWhat to do: {}",
            escape(&finding.title),
            finding.severity.name(),
            time_text(finding.since),
            escape(&finding.detail),
            escape(&finding.runbook)
        );
        blocks.push(section(&text));
    }
    if notice.findings.len() > FINDINGS_MAX {
        blocks.push(section(&format!("… and {} more.", notice.findings.len() - FINDINGS_MAX)));
    }
    let mut context = format!("{} since {}", notice.state.name(), time_text(notice.opened_at));
    if notice.audience == Audience::Operators && !notice.acknowledge.is_empty() {
        context = format!("{context} · <{}|Acknowledge>", notice.acknowledge);
    }
    if !notice.link.is_empty() {
        context = format!("{context} · <{}|Details>", notice.link);
    }
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": context}]}));
    json!({"text": escape(&notice.headline()), "blocks": blocks})
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION_MAX)}})
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_stays_text() {
        let mut notice = Notice::test(Audience::Operators, 0);
        notice.title = "<!channel> & <http://evil|click>".to_owned();
        notice.text = "x".repeat(10_000);
        let message = message(&notice);
        assert!(message["text"].as_str().unwrap().contains("&lt;!channel&gt; &amp; &lt;http"));
        let section = message["blocks"][1]["text"]["text"].as_str().unwrap();
        assert_eq!(section.chars().count(), SECTION_MAX);
    }
}
