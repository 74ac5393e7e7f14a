//! lz-string's `decompressFromBase64`, which old posthog-js used for `compression=lz64`.
//!
//! The text is a bit stream, six bits per base64 digit, least significant bit of each code first. Codes 0 and 1
//! introduce a new 8 or 16 bit character, 2 ends the text, others name earlier phrases. The result is UTF-16.

use super::BodyError;

const CORRUPT: BodyError = BodyError::Corrupt("lz-string");

/// Decompresses to at most `limit` bytes of UTF-8.
pub(super) fn decompress_base64(text: &[u8], limit: usize) -> Result<Vec<u8>, BodyError> {
    let digits: Vec<u8> = text
        .iter()
        .filter(|b| !matches!(b, b'=' | b'\n' | b'\r'))
        .map(|b| digit(if *b == b' ' { b'+' } else { *b }))
        .collect::<Option<_>>()
        .ok_or(CORRUPT)?;
    let units = decompress(&mut Bits { digits: &digits, at: 0 }, limit)?;
    let plain = String::from_utf16_lossy(&units).into_bytes();
    if plain.len() > limit { Err(BodyError::TooLarge { limit }) } else { Ok(plain) }
}

fn decompress(bits: &mut Bits<'_>, limit: usize) -> Result<Vec<u16>, BodyError> {
    let first = match bits.take(2)? {
        0 => bits.take(8)?,
        1 => bits.take(16)?,
        2 => return Ok(Vec::new()),
        _ => return Err(CORRUPT),
    };
    // Phrases are (start, length) in `out`: each one is text that was written before.
    let mut out: Vec<u16> = vec![first as u16];
    let mut phrases: Vec<(usize, usize)> = vec![(0, 0), (0, 0), (0, 0), (0, 1)];
    let mut last = (0usize, 1usize);
    let (mut width, mut grow_in) = (3u32, 4usize);
    loop {
        let mut code = bits.take(width)? as usize;
        if code == 2 {
            return Ok(out);
        }
        let mut phrase = None;
        if code < 2 {
            let unit = bits.take(if code == 0 { 8 } else { 16 })? as u16;
            let start = out.len();
            out.push(unit);
            code = phrases.len();
            phrases.push((start, 1));
            phrase = Some((start, 1));
            grow(&mut width, &mut grow_in);
        }
        let start = out.len();
        let (from, length) = match phrase {
            Some(fresh) => fresh,
            None if code < phrases.len() => {
                let (from, length) = phrases[code];
                out.extend_from_within(from..from + length);
                (start, length)
            }
            None if code == phrases.len() => {
                out.extend_from_within(last.0..last.0 + last.1);
                let head = out[last.0];
                out.push(head);
                (start, last.1 + 1)
            }
            None => return Err(CORRUPT),
        };
        // A phrase plus the first unit of what follows it is contiguous in `out`.
        phrases.push((last.0, last.1 + 1));
        last = (from, length);
        grow(&mut width, &mut grow_in);
        if out.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
    }
}

fn grow(width: &mut u32, grow_in: &mut usize) {
    *grow_in -= 1;
    if *grow_in == 0 {
        *grow_in = 1 << *width;
        *width += 1;
    }
}

fn digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

struct Bits<'a> {
    digits: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next `count` bits, the first one being the least significant.
    fn take(&mut self, count: u32) -> Result<u32, BodyError> {
        if count > 24 {
            return Err(CORRUPT);
        }
        let mut value = 0;
        for i in 0..count {
            let digit = *self.digits.get(self.at / 6).ok_or(CORRUPT)?;
            value |= u32::from(digit >> (5 - self.at % 6) & 1) << i;
            self.at += 1;
        }
        Ok(value)
    }
}
