//! Where a visit came from: the campaign in the page's URL, and the site that referred.
//!
//! Deliberately not here: click ids (`gclid` and the like), which belong to one advertiser each and stay in the URL.

use crate::{is_sent, text_of};
use serde_json::Value;
use tallymark_model::Properties;

/// Longest value taken out of a URL.
const CHARS_MAX: usize = 1024;
const UTM: [&str; 6] = ["utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "utm_id"];
/// Segment's names of the same.
const CAMPAIGN: [(&str, &str); 6] = [
    ("context.campaign.source", "utm_source"),
    ("context.campaign.medium", "utm_medium"),
    ("context.campaign.name", "utm_campaign"),
    ("context.campaign.content", "utm_content"),
    ("context.campaign.term", "utm_term"),
    ("context.campaign.id", "utm_id"),
];
const URLS: [&str; 5] = ["$current_url", "[Amplitude] Page Location", "context.page.url", "url", "page_url"];
const REFERRERS: [&str; 4] = ["$referrer", "context.page.referrer", "referrer", "page_referrer"];

/// Adds what the page's properties tell.
pub(crate) fn describe(properties: &Properties, found: &mut Vec<(&'static str, Value)>) {
    // A campaign is one thing: parts from two places would name one that never was.
    if !UTM.iter().any(|name| is_sent(properties, name)) {
        campaign(properties, found);
    }
    if let Some(domain) = referring_domain(properties) {
        found.push(("$referring_domain", Value::from(domain)));
    }
}

fn campaign(properties: &Properties, found: &mut Vec<(&'static str, Value)>) {
    let before = found.len();
    for (theirs, name) in CAMPAIGN {
        found.extend(text_of(properties, &[theirs]).map(|text| (name, Value::from(text))));
    }
    if found.len() > before {
        return;
    }
    let Some(query) = text_of(properties, &URLS).and_then(query_of) else { return };
    for name in UTM {
        let value =
            form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value);
        let value = value.filter(|value| !value.is_empty());
        found.extend(
            value.map(|value| (name, Value::from(value.chars().take(CHARS_MAX).collect::<String>()))),
        );
    }
}

fn query_of(url: &str) -> Option<&str> {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    url.split_once('?').map(|(_, query)| query)
}

/// `$direct` if the page says that nobody referred.
fn referring_domain(properties: &Properties) -> Option<String> {
    let referrer = REFERRERS.iter().find_map(|name| properties.get(*name)?.as_str())?;
    if referrer.is_empty() || referrer == "$direct" {
        return Some("$direct".to_owned());
    }
    let (scheme, rest) = referrer.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    (is_web && !host.is_empty() && host.len() <= CHARS_MAX).then(|| host.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(properties: Value) -> Value {
        let Value::Object(members) = properties else { panic!("an object") };
        let mut found = Vec::new();
        describe(&members.into_iter().collect(), &mut found);
        found.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[test]
    fn campaigns() {
        assert_eq!(
            told(
                json!({"$current_url": "https://a.test/?x=1&utm_source=a+b%21&utm_term=&utm_medium=m#utm_id=no", "utm_source": null})
            ),
            json!({"utm_source": "a b!", "utm_medium": "m"})
        );
        assert_eq!(told(json!({"url": "https://a.test/?utm_source=url", "utm_medium": "own"})), json!({}));
        assert_eq!(
            told(
                json!({"context.campaign.name": "may", "context.campaign.source": "news", "context.page.url": "https://a.test/?utm_term=t"})
            ),
            json!({"utm_source": "news", "utm_campaign": "may"})
        );
        assert_eq!(
            told(json!({"[Amplitude] Page Location": "http://a.test/?utm_campaign=%ff"})),
            json!({"utm_campaign": "\u{fffd}"})
        );
        for url in ["", "https://a.test/", "?", "utm_source=x"] {
            assert_eq!(told(json!({"url": url})), json!({}), "{url}");
        }
    }

    #[test]
    fn referrers() {
        for (referrer, domain) in [
            ("https://News.Example:8080/a?b", json!("news.example:8080")),
            ("http://user:secret@x.test", json!("x.test")),
            ("", json!("$direct")),
            ("$direct", json!("$direct")),
            ("android-app://com.example", Value::Null),
            ("nonsense", Value::Null),
            ("https:///path", Value::Null),
        ] {
            assert_eq!(
                told(json!({"context.page.referrer": referrer}))["$referring_domain"],
                domain,
                "{referrer}"
            );
        }
        assert_eq!(told(json!({"a": 1})), json!({}));
    }
}
