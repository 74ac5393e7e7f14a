//! What a library calls itself, in the places where each protocol's SDKs write it.
//!
//! Guarantees: a body of any shape gives a short printable name or none.
//! Deliberately not here: what an event means (`wire`).

use serde::Deserialize;
use serde_json::Value;
use tallymark_model::{Envelope, WireFormat};

const CHARS_MAX: usize = 40;

/// Name and version.
pub type Library = (String, Option<String>);

/// What a body may say about its sender; everything else is passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    library: Value,
    properties: Properties,
    context: Context,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Properties {
    #[serde(rename = "$lib")]
    lib: Value,
    #[serde(rename = "$lib_version")]
    version: Value,
    mp_lib: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Context {
    library: Named,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: Value,
    version: Value,
}

/// The protocol's family: a client that changes between versions of one stays one source. `None`: a call about a person
/// or a group, which SDKs make beside their events and without naming themselves.
pub fn protocol(wire: WireFormat) -> Option<&'static str> {
    use WireFormat::*;
    Some(match wire {
        NativeV1 => "Tallymark",
        AmplitudeV2 | AmplitudeV1 => "Amplitude",
        PosthogV0 | PosthogV1 => "PostHog",
        SegmentV1 => "Segment",
        Mparticle => "mParticle",
        Braze => "Braze",
        MixpanelEvent => "Mixpanel",
        Heap | HeapPixel => "Heap",
        AmplitudeIdentify | MixpanelProfile => return None,
    })
}

/// The library that sent an event.
pub fn library(event: &Envelope) -> Option<Library> {
    use WireFormat::*;
    let body = serde_json::from_slice::<Body>(&event.body).unwrap_or_default();
    match event.wire {
        // `amplitude-ts/2.1.0`
        AmplitudeV2 | AmplitudeV1 => {
            let told = body.library.as_str()?;
            let (name, version) = told.split_once('/').unwrap_or((told, ""));
            named(name, version)
        }
        PosthogV0 | PosthogV1 => {
            let of = |p: &Properties| named(p.lib.as_str()?, p.version.as_str().unwrap_or(""));
            of(&body.properties).or_else(|| of(&serde_json::from_str(event.context.shared.as_deref()?).ok()?))
        }
        SegmentV1 => {
            let of = |n: &Named| named(n.name.as_str()?, n.version.as_str().unwrap_or(""));
            let shared = || serde_json::from_str::<Context>(event.context.shared.as_deref()?).ok();
            of(&body.context.library).or_else(|| of(&shared()?.library))
        }
        MixpanelEvent => {
            named(body.properties.mp_lib.as_str()?, body.properties.version.as_str().unwrap_or(""))
        }
        NativeV1 => named(body.properties.lib.as_str()?, body.properties.version.as_str().unwrap_or("")),
        _ => None,
    }
}

fn named(name: &str, version: &str) -> Option<Library> {
    let cut = |text: &str| {
        let printable = text.trim().chars().filter(|c| !c.is_control());
        printable.take(CHARS_MAX).collect::<String>()
    };
    let (name, version) = (cut(name), cut(version));
    (!name.is_empty()).then(|| (name, (!version.is_empty()).then_some(version)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_model::{Lane, ProjectToken, RequestContext};

    fn of(wire: WireFormat, body: &str, shared: Option<&str>) -> Option<(String, String)> {
        let context = RequestContext { shared: shared.map(str::to_owned), ..RequestContext::default() };
        let found = library(&Envelope {
            token: ProjectToken([1; 16]),
            wire,
            lane: Lane::Live,
            key: String::new(),
            received_at: 1,
            context: std::sync::Arc::new(context),
            body: body.to_owned().into(),
        });
        found.map(|(name, version)| (name, version.unwrap_or_default()))
    }

    #[test]
    fn each_protocol_names_its_library_in_its_own_place() {
        use WireFormat::*;
        let pair = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        let lib =
            r#"{"event": "x", "properties": {"$lib": "web", "$lib_version": "1.4", "mp_lib": "python"}}"#;
        assert_eq!(
            of(AmplitudeV2, r#"{"library": "amplitude-ts/2.1.0"}"#, None),
            pair("amplitude-ts", "2.1.0")
        );
        assert_eq!(of(PosthogV0, lib, None), pair("web", "1.4"));
        assert_eq!(of(NativeV1, lib, None), pair("web", "1.4"));
        assert_eq!(of(MixpanelEvent, lib, None), pair("python", "1.4"));
        assert_eq!(
            of(PosthogV1, r#"{"properties": {}}"#, Some(r#"{"$lib": "posthog-go"}"#)),
            pair("posthog-go", "")
        );
        let segment = r#"{"context": {"library": {"name": "analytics.js", "version": "npm:next-1.8"}}}"#;
        assert_eq!(of(SegmentV1, segment, None), pair("analytics.js", "npm:next-1.8"));
        assert_eq!(of(SegmentV1, "{}", Some(r#"{"library": {"name": "rudder"}}"#)), pair("rudder", ""));
    }

    #[test]
    fn a_body_of_any_shape_gives_a_short_name_or_none() {
        use WireFormat::*;
        let long = format!(r#"{{"library": "{}\u0007/1"}}"#, "x".repeat(500));
        assert_eq!(of(AmplitudeV2, &long, None).unwrap().0, "x".repeat(CHARS_MAX));
        for body in [
            "",
            "7",
            "[1]",
            "null",
            r#"{"properties": 3}"#,
            r#"{"library": {"a": 1}}"#,
            r#"{"library": "/2"}"#,
        ] {
            for wire in [AmplitudeV2, PosthogV0, SegmentV1, MixpanelEvent, NativeV1, Heap] {
                assert_eq!(of(wire, body, Some("[]")), None, "{wire:?} {body}");
            }
        }
    }
}
