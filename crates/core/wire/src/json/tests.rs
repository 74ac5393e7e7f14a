//! Oddities of JSON: what they become, and what is said about them.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn value(text: &str) -> Value {
    let doc = Doc::parse(text.as_bytes()).unwrap();
    let value = doc.value();
    if !doc.is_doubtful(text.as_bytes()) {
        return value;
    }
    Doc::parse_exactly(text.as_bytes()).unwrap().value()
}

fn fault(text: &[u8]) -> Fault {
    match Doc::parse(text) {
        Err(fault) => fault,
        Ok(_) => panic!("parsed: {}", String::from_utf8_lossy(text)),
    }
}

#[test]
fn numbers_are_exact_or_kept_as_text() {
    for (text, expected) in [
        ("9007199254740993", json!(9007199254740993u64)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("18446744073709551615", json!(u64::MAX)),
        ("18446744073709551616", json!("18446744073709551616")),
        ("-9223372036854775809", json!("-9223372036854775809")),
        ("1e-400", json!("1e-400")),
        ("0.0", json!(0.0)),
        ("0e5", json!(0.0)),
        ("0", json!(0)),
        ("-0", json!(-0.0)),
        ("1.5e3", json!(1500.0)),
        ("1e300", json!(1e300)),
    ] {
        assert_eq!(value(&format!("{{\"n\":{text}}}"))["n"], expected, "{text}");
    }
}

#[test]
fn numbers_without_end_name_their_field() {
    let fault = fault(br#"{"properties":{"a":[1,{"b":1e400}]}}"#);
    assert_eq!((fault.code, fault.field.as_str()), ("invalid_number", "properties.a[1].b"));
    let huge = format!("{{\"n\":1{}}}", "0".repeat(400));
    assert_eq!(self::fault(huge.as_bytes()).code, "invalid_number");
}

#[test]
fn characters_that_nobody_can_store_are_replaced() {
    for (text, expected) in [
        (r#"{"a\u0000b":"x\u0000y"}"#, json!({"a\u{fffd}b":"x\u{fffd}y"})),
        (r#"{"a":"\ud83d"}"#, json!({"a":"\u{fffd}"})),
        (r#"{"a":"\udc00x"}"#, json!({"a":"\u{fffd}x"})),
        (r#"{"a":"\ud83d\ude00"}"#, json!({"a":"😀"})),
    ] {
        let doc = Doc::parse(text.as_bytes()).unwrap();
        assert_eq!(doc.value(), expected, "{text}");
        assert_eq!(doc.replaced(), !text.contains("ude00"), "{text}");
    }
}

#[test]
fn faults_say_where() {
    let nan = fault(br#"{"event":"a","properties":{"x":NaN}}"#);
    assert_eq!((nan.code, nan.field.as_str()), ("invalid_json", "properties.x"));
    assert!(nan.message.contains("NaN"), "{}", nan.message);
    assert_eq!(fault(b"{\"event\":\"\xff\"}").field, "event");
    for text in [&b""[..], b"{", b"{\"a\":1,}", b"[1] 2", b"{\"a\" 1}", b"\"\x01\"", b"tru", b"01"] {
        assert_eq!(fault(text).code, "invalid_json", "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn depth_is_limited_before_parsing() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(Doc::parse(nested(64).as_bytes()).is_ok());
    for n in [65, 100_000] {
        assert_eq!(fault(nested(n).as_bytes()).code, "too_deep");
    }
}

#[test]
fn the_last_of_two_equal_keys_wins() {
    assert_eq!(value(r#"{"a":1,"b":2,"a":3}"#), json!({"a":3,"b":2}));
}

/// Any JSON value; numbers are finite and not minus zero.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite() && *f != 0.0).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-zä\"\\\\]{0,6}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// What serde_json writes is read back as it was, whichever pass reads it.
    #[test]
    fn agrees_with_serde_json(value in any_json(), spaces in any::<bool>()) {
        let text = if spaces { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        let quick = Doc::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(&quick.value(), &value);
        prop_assert_eq!(&Doc::parse_exactly(text.as_bytes()).unwrap().value(), &value);
    }

    /// What serde_json refuses is refused too, apart from numbers and surrogates, which have their own rules.
    #[test]
    fn refuses_what_serde_json_refuses(text in r#"[\[\]{},:"a1\-+.e tfn]{0,20}"#) {
        let theirs = serde_json::from_str::<Value>(&text);
        let ours = Doc::parse(text.as_bytes());
        if let Ok(theirs) = theirs {
            prop_assert!(ours.is_ok(), "{}", theirs);
        } else if let Ok(ours) = ours {
            prop_assert!(false, "{} became {}", text, ours.value());
        }
    }
}
