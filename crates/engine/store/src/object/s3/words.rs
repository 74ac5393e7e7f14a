//! What a remote store's refusal means, and what to do about it.
//!
//! Guarantees: a missing bucket is never taken for a missing object; what cannot get better by itself is not
//! retryable; nothing of the credentials is shown.
//! Deliberately not here: trying again (the client does, within bounds).

use crate::StoreError;
use std::io::ErrorKind;

/// Codes of refusals that stay until somebody does something, with what that is.
const ADVICE: [(&str, &str); 12] = [
    ("NoSuchBucket", "create the bucket, or correct its name"),
    ("InvalidAccessKeyId", "the access key is not known there: correct AWS_ACCESS_KEY_ID"),
    ("SignatureDoesNotMatch", "the secret key is wrong: correct AWS_SECRET_ACCESS_KEY"),
    ("ExpiredToken", "the session has ended: renew AWS_SESSION_TOKEN and its keys"),
    ("InvalidToken", "the session is not known there: renew AWS_SESSION_TOKEN and its keys"),
    ("RequestTimeTooSkewed", "the clock of this machine is wrong: set it"),
    ("PermanentRedirect", "the bucket is in another region: correct AWS_REGION"),
    ("AuthorizationHeaderMalformed", "the bucket is probably in another region: correct AWS_REGION"),
    ("NoSuchUpload", "the upload was removed meanwhile: begin again"),
    ("QuotaExceeded", "the bucket is full: raise its quota or delete what is not needed"),
    ("NotImplemented", "this store lacks what is asked for: use one that has conditional writes"),
    ("AccessDenied", NEEDS),
];

const NEEDS: &str = "allow these keys s3:ListBucket on the bucket and s3:GetObject, s3:PutObject, \
                     s3:DeleteObject, s3:AbortMultipartUpload on its objects";

/// The error of an operation on `key`.
pub(super) fn told(place: &str, key: &str, action: &'static str, error: &object_store::Error) -> StoreError {
    let text = whole_text(error);
    if let Some((code, advice)) = ADVICE.iter().find(|(code, _)| names(&text, code)) {
        return refused(place, key, action, &format!("{code} ({})", message(&text)), advice);
    }
    match error {
        object_store::Error::NotFound { .. } => StoreError::NotFound { key: key.to_owned() },
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            refused(place, key, action, "access denied (403)", NEEDS)
        }
        object_store::Error::Generic { .. } if text.contains("Received redirect without LOCATION") => {
            refused(place, key, action, "redirect", "the bucket is in another region: correct AWS_REGION")
        }
        object_store::Error::Generic { .. } if text.contains("security credential") || imds(&text) => {
            refused(
                place,
                key,
                action,
                "no credentials were found",
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role",
            )
        }
        _ => StoreError::Io {
            action,
            key: key.to_owned(),
            detail: format!("{place} did not do it: {}", brief(&text)),
            kind: if text.contains("timed out") { ErrorKind::TimedOut } else { ErrorKind::Other },
        },
    }
}

/// True if the store says that the asked part is beyond the object's end.
pub(super) fn beyond_the_end(error: &object_store::Error) -> bool {
    let text = whole_text(error);
    names(&text, "InvalidRange")
        || text.contains("416 Range Not Satisfiable")
        || text.contains("InvalidGetRange")
}

fn refused(place: &str, key: &str, action: &'static str, detail: &str, advice: &str) -> StoreError {
    StoreError::Refused {
        place: place.to_owned(),
        action,
        key: key.to_owned(),
        detail: detail.to_owned(),
        advice: advice.to_owned(),
    }
}

/// An error with everything under it, each text once.
fn whole_text(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut under = std::error::Error::source(error);
    while let Some(e) = under {
        let more = e.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        under = e.source();
    }
    text
}

fn names(text: &str, code: &str) -> bool {
    text.contains(&format!("<Code>{code}</Code>"))
}

fn message(text: &str) -> &str {
    let found = text.split_once("<Message>").and_then(|(_, rest)| rest.split_once("</Message>"));
    found.map_or("no reason given", |(message, _)| message)
}

/// Credentials are asked of the machine if there are no others.
fn imds(text: &str) -> bool {
    text.contains("169.254.169.254") || text.contains("169.254.170.2")
}

fn brief(text: &str) -> String {
    const MOST: usize = 600;
    if text.chars().count() <= MOST {
        text.to_owned()
    } else {
        text.chars().take(MOST).chain(['…']).collect()
    }
}
