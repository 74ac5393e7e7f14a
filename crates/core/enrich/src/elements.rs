//! What was clicked, as one text for every SDK: PostHog's `$elements_chain`, also from the lists that its older SDKs
//! and the browser SDKs of Amplitude and Mixpanel send.
//!
//! Elements are joined by `;`, the clicked one first: `button.btn.primary:attr__id="buy"nth-child="1"text="Buy";main`.
//! Tag and classes stand before the colon, attributes after it in the order of their names, quotes escaped by `\`.
//! Virtual events over it are conditions on text, so they hold for all history.

use crate::{is_sent, text_of};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tallymark_model::Properties;

/// Longest chain; what lies further out is left out, and the list as sent is there.
const BYTES_MAX: usize = 16 * 1024;
const CHAIN: &str = "$elements_chain";
const TEXT: &str = "$el_text";

/// One element: tag, classes, attributes.
#[derive(Default)]
struct Element<'a> {
    tag: &'a str,
    classes: Vec<&'a str>,
    attributes: BTreeMap<String, String>,
}

/// Adds the chain of a click whose SDK sent a list.
pub(crate) fn describe(properties: &Properties, found: &mut Vec<(&'static str, Value)>) {
    if let Some(text) = text_of(properties, &["[Amplitude] Element Text"]) {
        found.push((TEXT, Value::from(text)));
    }
    if is_sent(properties, CHAIN) {
        return;
    }
    let list = |name| properties.get(name).and_then(Value::as_array);
    let chain = if let Some(elements) = list("$elements") {
        let text = text_of(properties, &[TEXT]);
        let elements = elements.iter().filter_map(Value::as_object).enumerate();
        chain(elements.map(|(depth, element)| match element.contains_key("$tag_name") {
            true => of_mixpanel(element, text.filter(|_| depth == 0)),
            false => of_posthog(element),
        }))
    } else if let Some(elements) = list("[Amplitude] Element Hierarchy") {
        let text = text_of(properties, &["[Amplitude] Element Text"]);
        let elements = elements.iter().filter_map(Value::as_object).enumerate();
        chain(elements.map(|(depth, element)| of_amplitude(element, text.filter(|_| depth == 0))))
    } else {
        return;
    };
    if !chain.is_empty() {
        found.push((CHAIN, Value::from(chain)));
    }
}

fn of_posthog(element: &Map<String, Value>) -> Element<'_> {
    let mut read = Element { tag: text_in(element, "tag_name"), ..Element::default() };
    read.classes = match element.get("classes").and_then(Value::as_array) {
        Some(classes) => classes.iter().filter_map(Value::as_str).collect(),
        None => text_in(element, "attr__class").split_whitespace().collect(),
    };
    for (name, value) in element {
        let name = match name.as_str() {
            "$el_text" | "text" => "text",
            "nth_child" => "nth-child",
            "nth_of_type" => "nth-of-type",
            "attr__href" => "href",
            name if name.starts_with("attr__") => name,
            _ => continue,
        };
        read.add(name, value);
    }
    if let Some(id) = element.get("attr__id") {
        read.add("attr_id", id);
    }
    read
}

fn of_amplitude<'a>(element: &'a Map<String, Value>, text: Option<&str>) -> Element<'a> {
    let mut read = Element { tag: text_in(element, "tag"), ..Element::default() };
    let classes = element.get("classes").and_then(Value::as_array);
    read.classes = classes.into_iter().flatten().filter_map(Value::as_str).collect();
    if !read.classes.is_empty() {
        read.attributes.insert("attr__class".to_owned(), read.classes.join(" "));
    }
    if let Some(id) = element.get("id") {
        read.add("attr__id", id);
        read.add("attr_id", id);
    }
    for (name, value) in element.get("attrs").and_then(Value::as_object).into_iter().flatten() {
        match name.as_str() {
            "href" => read.add("href", value),
            name => read.add(&format!("attr__{name}"), value),
        }
    }
    // Amplitude counts from 0, PostHog from 1 as CSS does.
    for (theirs, name) in [("index", "nth-child"), ("indexOfType", "nth-of-type")] {
        if let Some(n) = element.get(theirs).and_then(Value::as_u64) {
            read.add(name, &Value::from(n.saturating_add(1)));
        }
    }
    if let Some(text) = text {
        read.attributes.insert("text".to_owned(), text.to_owned());
    }
    read
}

fn of_mixpanel<'a>(element: &'a Map<String, Value>, text: Option<&str>) -> Element<'a> {
    let mut read = Element { tag: text_in(element, "$tag_name"), ..Element::default() };
    let classes = element.get("$classes").and_then(Value::as_array).into_iter().flatten();
    // An element without classes is sent with one that has no name.
    read.classes = classes.filter_map(Value::as_str).filter(|class| !class.is_empty()).collect();
    if !read.classes.is_empty() {
        read.attributes.insert("attr__class".to_owned(), read.classes.join(" "));
    }
    for (name, value) in element {
        match name.as_str() {
            "$id" => {
                read.add("attr__id", value);
                read.add("attr_id", value);
            }
            "$nth_child" => read.add("nth-child", value),
            "$nth_of_type" => read.add("nth-of-type", value),
            "$attr-href" => read.add("href", value),
            name => {
                if let Some(name) = name.strip_prefix("$attr-") {
                    read.add(&format!("attr__{name}"), value);
                }
            }
        }
    }
    if let Some(text) = text {
        read.attributes.insert("text".to_owned(), text.to_owned());
    }
    read
}

impl Element<'_> {
    fn add(&mut self, name: &str, value: &Value) {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(is) => is.to_string(),
            _ => return,
        };
        self.attributes.insert(name.to_owned(), text);
    }

    fn write(&self) -> String {
        let mut classes = self.classes.clone();
        classes.sort_unstable();
        let mut text = self.tag.to_lowercase();
        text.extend(classes.iter().flat_map(|class| [".", *class]));
        for (index, (name, value)) in self.attributes.iter().enumerate() {
            let colon = if index == 0 { ":" } else { "" };
            text.push_str(&format!("{colon}{name}=\"{}\"", value.replace('"', "\\\"")));
        }
        text
    }
}

fn chain<'a>(elements: impl Iterator<Item = Element<'a>>) -> String {
    let mut text = String::new();
    for element in elements.filter(|element| !element.tag.is_empty()) {
        let element = element.write();
        if text.len() + element.len() >= BYTES_MAX {
            break;
        }
        if !text.is_empty() {
            text.push(';');
        }
        text.push_str(&element);
    }
    text
}

fn text_in<'a>(element: &'a Map<String, Value>, name: &str) -> &'a str {
    element.get(name).and_then(Value::as_str).unwrap_or("")
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
    fn every_list_becomes_the_same_chain() {
        let chain = r#"button.btn.primary:attr__class="primary btn"attr__id="buy"attr__type="button"attr_id="buy"nth-child="1"nth-of-type="1"text="Buy \"now\"";main.content:attr__class="content"nth-child="2"nth-of-type="1""#;
        let posthog = json!({"$elements": [
            {"tag_name": "button", "classes": ["primary", "btn"], "attr__class": "primary btn", "attr__id": "buy",
             "attr__type": "button", "nth_child": 1, "nth_of_type": 1, "$el_text": "Buy \"now\""},
            {"tag_name": "main", "attr__class": "content", "nth_child": 2, "nth_of_type": 1},
        ]});
        assert_eq!(told(posthog), json!({"$elements_chain": chain}));
        let amplitude = json!({
            "[Amplitude] Element Text": "Buy \"now\"",
            "[Amplitude] Element Hierarchy": [
                {"tag": "button", "index": 0, "indexOfType": 0, "id": "buy", "classes": ["primary", "btn"], "attrs": {"type": "button"}},
                {"tag": "main", "index": 1, "indexOfType": 0, "prevSib": "nav", "classes": ["content"]},
            ],
        });
        assert_eq!(told(amplitude), json!({"$el_text": "Buy \"now\"", "$elements_chain": chain}));
        let mixpanel = json!({
            "$el_text": "Buy \"now\"",
            "$elements": [
                {"$tag_name": "button", "$classes": ["primary", "btn"], "$id": "buy", "$attr-type": "button",
                 "$nth_child": 1, "$nth_of_type": 1},
                {"$tag_name": "main", "$classes": ["content"], "$nth_child": 2, "$nth_of_type": 1},
            ],
        });
        assert_eq!(told(mixpanel), json!({"$elements_chain": chain}));
        let bare =
            json!({"$elements": [{"$tag_name": "A", "$classes": [""], "$attr-href": "/x", "$nth_child": 3}]});
        assert_eq!(told(bare), json!({"$elements_chain": r#"a:href="/x"nth-child="3""#}));
    }

    #[test]
    fn what_is_sent_stays_and_nonsense_says_nothing() {
        for properties in [
            json!({}),
            json!({"$elements_chain": "a", "$elements": [{"tag_name": "b"}]}),
            json!({"$elements": []}),
            json!({"$elements": [1, null, "x", {}, {"tag_name": 7}]}),
            json!({"$elements": "a"}),
            json!({"[Amplitude] Element Hierarchy": {"tag": "a"}}),
        ] {
            assert_eq!(told(properties.clone()), json!({}), "{properties}");
        }
        let deep: Vec<Value> =
            (0..2000).map(|_| json!({"tag_name": "div", "attr__id": "0123456789"})).collect();
        let told = told(json!({"$elements": deep}));
        assert!(told["$elements_chain"].as_str().is_some_and(|c| c.len() < BYTES_MAX && c.ends_with('"')));
    }
}
