//! The signature of Segment's webhook destinations: `X-Signature` is the HMAC-SHA1 of the body, in hexadecimal.

use hmac::{Hmac, Mac};
use sha1::Sha1;

/// True if `signature` is what the holder of `secret` writes for this body. Takes as long for a near miss as for a
/// far one.
pub fn is_signed(secret: &str, body: &[u8], signature: &str) -> bool {
    let Some(signature) = bytes_of(signature.trim()) else { return false };
    Hmac::<Sha1>::new_from_slice(secret.as_bytes())
        .is_ok_and(|mac| mac.chain_update(body).verify_slice(&signature).is_ok())
}

fn bytes_of(hexadecimal: &str) -> Option<Vec<u8>> {
    if hexadecimal.is_empty() || !hexadecimal.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    hexadecimal.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_holder_of_the_secret_can_sign() {
        // RFC 2202, test case 2.
        let (secret, body) = ("Jefe", b"what do ya want for nothing?");
        let signature = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
        assert!(is_signed(secret, body, signature));
        assert!(is_signed(secret, body, &signature.to_uppercase()));
        assert!(!is_signed("jefe", body, signature));
        assert!(!is_signed(secret, b"what do ya want for something?", signature));
        for bad in ["", "ef", "zz", &signature[1..], &signature[..38], "é"] {
            assert!(!is_signed(secret, body, bad), "{bad}");
        }
    }
}
