//! Who asks, by the user agent: browser, operating system, kind of device.
//!
//! Guarantees: programs (HTTP libraries, SDKs of servers) are nobody's browser and say nothing.

use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use woothee::parser::Parser;

/// User agents that a thread remembers: requests of few browsers follow each other.
const REMEMBERED: usize = 256;

/// What a user agent says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Agent {
    /// A person's, not a crawler's.
    pub is_browser: bool,
    browser: Option<&'static str>,
    browser_version: Option<f64>,
    os: Option<&'static str>,
    os_version: Option<String>,
    device: Option<&'static str>,
}

/// What this user agent says; none for programs and for what nobody knows.
pub(crate) fn of(text: &str) -> Option<Agent> {
    thread_local! {
        static KNOWN: RefCell<HashMap<String, Option<Agent>>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        if let Some(agent) = known.get(text) {
            return agent.clone();
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.entry(text.to_owned()).or_insert_with(|| read(text)).clone()
    })
}

impl Agent {
    /// Adds what it says under PostHog's names.
    pub fn describe(self, found: &mut Vec<(&'static str, Value)>) {
        if !self.is_browser {
            found.push(("$browser_type", Value::from("bot")));
        }
        let version = self.browser_version.map(Value::from);
        let members = [
            ("$browser", self.browser.map(Value::from)),
            ("$browser_version", version),
            ("$os", self.os.map(Value::from)),
            ("$os_version", self.os_version.map(Value::from)),
            ("$device_type", self.device.map(Value::from)),
        ];
        found.extend(members.into_iter().filter_map(|(name, value)| Some((name, value?))));
    }
}

fn read(text: &str) -> Option<Agent> {
    let seen = Parser::new().parse(text)?;
    let headless = text.contains("HeadlessChrome/");
    // Robots newer than the data set name themselves by an address to complain to.
    if seen.category == "crawler" || text.contains("; +http") {
        return Some(Agent { is_browser: false, ..Agent::default() });
    }
    if !headless && !matches!(seen.category, "pc" | "smartphone" | "mobilephone" | "appliance") {
        return None;
    }
    let is_phone = matches!(seen.category, "smartphone" | "mobilephone");
    let os = system(seen.os);
    let is_tablet = seen.os == "iPad" || (os == Some("Android") && !text.contains("Mobile"));
    let known = |name: &str| name != "UNKNOWN" && !name.is_empty();
    Some(Agent {
        is_browser: !headless,
        browser: if known(seen.name) { browser(text, seen.name, is_phone) } else { None },
        browser_version: version(if headless { after(text, "HeadlessChrome/") } else { seen.version }),
        os,
        os_version: if known(&seen.os_version) { os_version(seen.os, &seen.os_version) } else { None },
        device: match seen.category {
            _ if is_tablet => Some("Tablet"),
            "appliance" => Some("Console"),
            _ if is_phone => Some("Mobile"),
            _ => Some("Desktop"),
        },
    })
}

fn browser(text: &str, name: &str, is_phone: bool) -> Option<&'static str> {
    Some(match name {
        "Chrome" if text.contains("CriOS/") => "Chrome iOS",
        "Chrome" => "Chrome",
        "Firefox" if text.contains("FxiOS/") => "Firefox iOS",
        "Firefox" => "Firefox",
        "Safari" if is_phone => "Mobile Safari",
        "Safari" => "Safari",
        "Edge" => "Microsoft Edge",
        "Opera" => "Opera",
        "Internet Explorer" => "Internet Explorer",
        "SamsungBrowser" => "Samsung Internet",
        "Vivaldi" => "Vivaldi",
        "Yandex Browser" => "Yandex",
        "Webview" => "WebView",
        _ if text.contains("HeadlessChrome/") => "Chrome",
        _ => return None,
    })
}

fn system(name: &str) -> Option<&'static str> {
    Some(match name {
        "iPhone" | "iPad" | "iPod" | "iOS" => "iOS",
        "Mac OSX" => "Mac OS X",
        "Android" => "Android",
        "Linux" => "Linux",
        "ChromeOS" => "Chrome OS",
        _ if name.starts_with("Windows Phone") => "Windows Phone",
        _ if name.starts_with("Windows") => "Windows",
        _ => return None,
    })
}

/// Windows names its releases, and its kernel's number means little: `Windows 8.1` is `8.1`, whatever NT it is.
fn os_version(name: &str, version: &str) -> Option<String> {
    let release = name.strip_prefix("Windows ").filter(|r| *r != "UNKNOWN Ver" && !r.starts_with("Phone"));
    Some(release.unwrap_or(version).to_owned())
}

/// Major and minor as a number, as PostHog's SDK sends it.
fn version(text: &str) -> Option<f64> {
    let mut parts = text.split('.');
    let major = parts.next()?;
    let minor = parts.next().unwrap_or("0");
    format!("{major}.{minor}").parse().ok().filter(|n: &f64| n.is_finite())
}

fn after<'t>(text: &'t str, mark: &str) -> &'t str {
    let rest = text.split_once(mark).map_or("", |(_, rest)| rest);
    rest.split(' ').next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_of_today() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (text, said) in [
            (format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/141.0.0.0 Safari/537.36"), "Chrome 141 Windows 10 Desktop"),
            (format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/141.0.0.0 Safari/537.36 Edg/141.2.0.0"), "Microsoft Edge 141.2 Windows 10 Desktop"),
            (format!("Mozilla/5.0 (X11; Linux x86_64) {webkit} Chrome/141.0.0.0 Safari/537.36"), "Chrome 141 Linux - Desktop"),
            (format!("Mozilla/5.0 (Linux; Android 14; Pixel 8) {webkit} Chrome/141.0.0.0 Mobile Safari/537.36"), "Chrome 141 Android 14 Mobile"),
            (format!("Mozilla/5.0 (Linux; Android 13; SM-X700) {webkit} Chrome/141.0.0.0 Safari/537.36"), "Chrome 141 Android 13 Tablet"),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15".into(), "Safari 18.1 Mac OS X 10.15.7 Desktop"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1".into(), "Mobile Safari 18.1 iOS 18.1 Mobile"),
            ("Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1".into(), "Mobile Safari 17.5 iOS 17.5 Tablet"),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0".into(), "Firefox 132 Windows 10 Desktop"),
        ] {
            let agent = of(&text).unwrap_or_else(|| panic!("{text}"));
            let show = |v: Option<String>| v.unwrap_or_else(|| "-".into());
            let shown = format!(
                "{} {} {} {} {}",
                show(agent.browser.map(str::to_owned)),
                show(agent.browser_version.map(|v| v.to_string())),
                show(agent.os.map(str::to_owned)),
                show(agent.os_version.clone()),
                show(agent.device.map(str::to_owned)),
            );
            assert_eq!((shown.as_str(), agent.is_browser), (said, true), "{text}");
        }
    }

    #[test]
    fn robots_are_told_and_programs_say_nothing() {
        let bot = |text: &str| of(text).is_some_and(|agent| !agent.is_browser);
        assert!(bot(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko; compatible; NewBot-2/1; +https://new.example) Chrome/141.0.0.0 Safari/537.36"
        ));
        assert!(bot("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"));
        assert!(bot(
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)"
        ));
        assert!(bot(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/141.0.0.0 Safari/537.36"
        ));
        for text in [
            "",
            "-",
            "posthog-python/7.91.1",
            "analytics-node/3.1.0",
            "python-requests/2.32",
            "curl/8.5",
            "okhttp/4.12",
            "Java/21",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
