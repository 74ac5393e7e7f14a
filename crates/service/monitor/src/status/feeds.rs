//! The page as feeds: RSS 2.0 and Atom, one entry per incident and window.
//!
//! Guarantees: an entry keeps its id and changes its time when something is said, so readers show it anew.
//! Deliberately not here: XML (the libraries write it).

use super::{IncidentView, StatusPage, rfc2822, rfc3339, time_text};
use crate::store::Maintenance;
use atom_syndication as atom;
use std::str::FromStr;
use tallymark_model::Millis;

struct Item {
    id: String,
    title: String,
    link: String,
    text: String,
    published: Millis,
    updated: Millis,
}

/// RSS 2.0.
pub fn rss(page: &StatusPage) -> String {
    let items = items(page).into_iter().map(|item| rss::Item {
        title: Some(item.title),
        link: Some(item.link),
        description: Some(item.text),
        pub_date: Some(rfc2822(item.updated)),
        guid: Some(rss::Guid { value: item.id, permalink: false }),
        ..rss::Item::default()
    });
    let channel = rss::Channel {
        title: title(page),
        link: format!("{}/status", page.url),
        description: page.description.clone(),
        pub_date: Some(rfc2822(page.watched_at.unwrap_or(page.at))),
        items: items.collect(),
        ..rss::Channel::default()
    };
    channel.to_string()
}

/// Atom.
pub fn atom(page: &StatusPage) -> String {
    let entries = items(page).into_iter().map(|item| atom::Entry {
        id: item.id,
        title: atom::Text::plain(item.title),
        updated: instant(item.updated),
        published: Some(instant(item.published)),
        links: vec![atom::Link { href: item.link, rel: "alternate".to_owned(), ..atom::Link::default() }],
        content: Some(atom::Content {
            value: Some(item.text),
            content_type: Some("text".to_owned()),
            ..atom::Content::default()
        }),
        ..atom::Entry::default()
    });
    let entries: Vec<atom::Entry> = entries.collect();
    let updated = entries.iter().map(|e| e.updated).max();
    let own = |href: String, rel: &str| atom::Link { href, rel: rel.to_owned(), ..atom::Link::default() };
    let feed = atom::Feed {
        id: "urn:tallymark:status".to_owned(),
        title: atom::Text::plain(title(page)),
        subtitle: Some(atom::Text::plain(page.description.clone())),
        updated: updated.unwrap_or_else(|| instant(page.watched_at.unwrap_or(page.at))),
        authors: vec![atom::Person { name: page.name.clone(), ..atom::Person::default() }],
        links: vec![
            own(format!("{}/status/history.atom", page.url), "self"),
            own(format!("{}/status", page.url), "alternate"),
        ],
        entries,
        ..atom::Feed::default()
    };
    feed.to_string()
}

fn title(page: &StatusPage) -> String {
    format!("{} status", page.name)
}

fn items(page: &StatusPage) -> Vec<Item> {
    let mut items: Vec<Item> = page.incidents.iter().map(|i| incident(page, i)).collect();
    items.extend(page.maintenance.iter().map(|m| window(page, m)));
    items.sort_by_key(|i| std::cmp::Reverse(i.updated));
    items
}

fn incident(page: &StatusPage, incident: &IncidentView) -> Item {
    let said =
        incident.updates.iter().map(|u| format!("{} - {}: {}", time_text(u.at), u.state.name(), u.text));
    Item {
        id: format!("urn:uuid:{}", incident.id),
        title: incident.title.clone(),
        link: format!("{}/status/incidents/{}", page.url, incident.id),
        text: said.collect::<Vec<_>>().join("\n"),
        published: incident.opened_at,
        updated: incident.updates.first().map_or(incident.opened_at, |u| u.at),
    }
}

fn window(page: &StatusPage, window: &Maintenance) -> Item {
    let span = format!("{} to {}", time_text(window.starts_at), time_text(window.ends_at));
    Item {
        id: format!("urn:uuid:{}", window.id),
        title: format!("Maintenance: {}", window.title),
        link: format!("{}/status/incidents/{}", page.url, window.id),
        text: [span, window.text.clone()].join("\n").trim_end().to_owned(),
        published: window.created_at,
        updated: window.created_at,
    }
}

fn instant(at: Millis) -> atom::FixedDateTime {
    atom::FixedDateTime::from_str(&rfc3339(at)).unwrap_or_default()
}
