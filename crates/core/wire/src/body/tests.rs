//! Every way a body can be packed, and every way it can be a trap.

use super::*;
use std::io::Write;

const JSON: &str = r#"{"batch":[{"event":"a","t":"+/=&??>>~~ é"}]}"#;
const LIMIT: usize = 1_000_000;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn unpack(raw: impl Into<Bytes>, content_encoding: Option<&str>, query: &str) -> Result<String, BodyError> {
    let decoded = decode(raw.into(), Packing { content_encoding, query }, LIMIT)?;
    Ok(String::from_utf8(decoded.body.to_vec()).unwrap())
}

fn base64_of(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes)
}

#[test]
fn every_encoding_gives_the_same_json() {
    let zlib = {
        let mut e = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        e.write_all(JSON.as_bytes()).unwrap();
        e.finish().unwrap()
    };
    let raw_deflate = {
        let mut e = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        e.write_all(JSON.as_bytes()).unwrap();
        e.finish().unwrap()
    };
    let brotli = {
        let mut e = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
        e.write_all(JSON.as_bytes()).unwrap();
        e.into_inner()
    };
    let zstd = zstd::encode_all(JSON.as_bytes(), 3).unwrap();
    let gz = gzip(JSON.as_bytes());
    for (raw, encoding) in [
        (JSON.as_bytes().to_vec(), None),
        (JSON.as_bytes().to_vec(), Some("identity")),
        (gz.clone(), Some("gzip")),
        (gz.clone(), Some("GZIP")),
        (gz.clone(), None),
        (zlib, Some("deflate")),
        (raw_deflate, Some("deflate")),
        (brotli, Some("br")),
        (zstd.clone(), Some("zstd")),
        (gzip(&zstd), Some("zstd, gzip")),
        (gzip(&gz), Some("gzip")),
    ] {
        assert_eq!(unpack(raw, encoding, "").as_deref(), Ok(JSON), "{encoding:?}");
    }
    assert_eq!(unpack(gz, None, "compression=gzip-js&ip=1").as_deref(), Ok(JSON));
}

#[test]
fn forms_give_their_data() {
    let escaped = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let base64 = base64_of(JSON.as_bytes());
    assert!(base64.contains('+') || base64.contains('/') || base64.ends_with('='));
    for form in [
        format!("data={}", escaped(&base64)),
        format!("compression=base64&data={}&ip=1", escaped(&base64)),
        format!("data={base64}"),
        format!("verbose=1&data={}", escaped(JSON)),
        format!("data={}", escaped(&base64_of(&gzip(JSON.as_bytes())))),
        base64.clone(),
    ] {
        assert_eq!(unpack(form.clone(), None, "").as_deref(), Ok(JSON), "{form}");
    }
    assert_eq!(unpack(gzip(base64.as_bytes()), None, "compression=gzip").as_deref(), Ok(JSON));
    let form = Bytes::from(format!("data={}&api_key=k1", escaped(&base64)));
    assert_eq!(decode(form, Packing::default(), LIMIT).unwrap().form_key.as_deref(), Some("k1"));
    // A form without `data` is left to its protocol room.
    assert_eq!(unpack("api_key=k&event=%5B%5D", None, "").as_deref(), Ok("api_key=k&event=%5B%5D"));
}

#[test]
fn unescaped_plus_signs_survive_a_form() {
    let json = r#"{"a":"~~~>>>???"}"#;
    let base64 = base64_of(json.as_bytes());
    assert!(base64.contains('+'));
    assert_eq!(unpack(format!("ip=0&data={base64}&verbose=0"), None, "").as_deref(), Ok(json));
}

#[test]
fn lz_string_of_posthog_js() {
    // Made with a port of lz-string's `compressToBase64`.
    for (packed, plain) in [
        ("N4IgpgbmB2AuIC4QBPA1BCANCaiDaBGDQ4o04gXQF8g=", r#"{"event":"ä€","n":[1,1,1,1,1,1,1,1]}"#),
        ("IY1o", "aaaaaaaaaa"),
        ("BYUwNmD2AEoTcpA=", "hello hello hello"),
    ] {
        let form = format!("compression=lz64&data={}", packed.replace('+', "%2B"));
        assert_eq!(unpack(form, None, "").as_deref(), Ok(plain));
        assert_eq!(unpack(packed, None, "compression=LZ64").as_deref(), Ok(plain));
    }
    assert_eq!(unpack("data=%21%21", None, "compression=lz64"), Err(BodyError::Corrupt("lz-string")));
    assert_eq!(unpack("data=IY1", None, "compression=lz64"), Err(BodyError::Corrupt("lz-string")));
}

#[test]
fn bombs_are_stopped_at_their_limit() {
    let zeros = vec![b' '; 64 << 20];
    assert_eq!(unpack(gzip(&zeros), Some("gzip"), ""), Err(BodyError::TooLarge { limit: LIMIT }));
    assert_eq!(unpack(gzip(&gzip(&zeros)), None, ""), Err(BodyError::TooLarge { limit: LIMIT }));
    let zstd = zstd::encode_all(&zeros[..], 1).unwrap();
    assert_eq!(unpack(zstd.clone(), Some("zstd"), ""), Err(BodyError::TooLarge { limit: LIMIT }));
    let packing = Packing { content_encoding: Some("zstd"), query: "" };
    assert_eq!(decode(Bytes::from(zstd), packing, 1 << 30), Err(BodyError::Ratio));
    let thrice = gzip(&gzip(&gzip(b"{}")));
    assert_eq!(unpack(thrice, None, ""), Err(BodyError::Layers));
    assert_eq!(unpack(vec![b' '; LIMIT + 1], None, ""), Err(BodyError::TooLarge { limit: LIMIT }));
}

#[test]
fn skippable_frames_do_not_hide_or_fool() {
    let mut framed = vec![0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
    framed.extend(zstd::encode_all(JSON.as_bytes(), 3).unwrap());
    assert_eq!(unpack(framed, Some("zstd"), "").as_deref(), Ok(JSON));
}

#[test]
fn broken_and_unknown_packings_say_so() {
    for encoding in ["gzip", "deflate", "zstd"] {
        assert!(matches!(unpack("not packed", Some(encoding), ""), Err(BodyError::Corrupt(_))), "{encoding}");
    }
    let mut cut = gzip(JSON.as_bytes());
    cut.truncate(cut.len() - 6);
    assert_eq!(unpack(cut, None, ""), Err(BodyError::Corrupt("gzip")));
    assert_eq!(unpack("{}", Some("rot13"), ""), Err(BodyError::Unknown("rot13".into())));
    assert_eq!(unpack("{}", Some("gzip,gzip,gzip"), ""), Err(BodyError::Corrupt("gzip")));
}
