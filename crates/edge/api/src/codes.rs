//! Every error code of the instance: what it means and what to do about it.
//!
//! Guarantees: one row per code; `docs/errors.md` and the pages under `/docs/errors/` are made from this table,
//! and a test compares it with the codes that appear in the source of all crates.
//! Deliberately not here: the sentences of single errors, which say what and where.

/// One documented error code.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `TM` and four digits.
    pub code: &'static str,
    /// HTTP status it usually comes with; 0 for codes that are seen in logs and on the command line only.
    pub status: u16,
    /// In a few words.
    pub title: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $status:literal, $title:literal, $remedy:literal;)*) => {
        $(#[doc = $title] pub const $name: Code =
            Code { code: $code, status: $status, title: $title, remedy: $remedy };)*
        /// Every code, in order.
        pub const CODES: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    INTERNAL = "TM0001", 500, "Something failed on our side",
        "Try again. If it stays, look for the request's time in the server's log and report it.";
    NOT_FOUND = "TM0002", 404, "There is nothing at this address",
        "Compare the path with the API description at /api/docs.";
    BAD_METHOD = "TM0003", 405, "The address exists, but not for this method",
        "The `Allow` header lists the methods that work.";
    BAD_BODY = "TM0004", 400, "The body is not the JSON that is expected here",
        "The message names the place. Compare with the API description at /api/docs.";
    BAD_PARAMETER = "TM0005", 400, "A parameter has an unusable name or value",
        "The message names the parameter and what is accepted.";
    BODY_TOO_LARGE = "TM0006", 413, "The body is too large for this address",
        "Requests other than events have at most 1 MiB.";
    UNAVAILABLE = "TM0007", 503, "A part of the instance does not answer",
        "Events are still collected. Try again after the time in `Retry-After`; /health/ready shows which part is down.";
    BAD_MEDIA_TYPE = "TM0008", 415, "The body must be declared as JSON",
        "Send the header `Content-Type: application/json`.";

    INVALID_BODY = "TM0101", 400, "The request's body cannot be read",
        "Send JSON as the documentation of the path shows. Nothing was accepted.";
    MISSING_KEY = "TM0102", 401, "The request has no usable key",
        "Send the project's write key, for example as `Authorization: Bearer KEY`.";
    MIXED_KEYS = "TM0103", 401, "The events of one request name different keys",
        "Send one request per project.";
    MISSING_MEMBER = "TM0104", 400, "The request lacks its list of events",
        "Wrap the events as the documentation of the path shows.";
    INVALID_EVENT = "TM0105", 400, "An event cannot be used",
        "The message names the event and the field. On the native path the other events were kept.";
    EVENTS_TOO_LARGE = "TM0106", 413, "The request is too large",
        "Split it and send again. Nothing was accepted.";
    TOO_MANY_EVENTS = "TM0107", 413, "The request has too many events",
        "Split it and send again. Nothing was accepted.";
    BAD_ENCODING = "TM0108", 415, "The body's compression is unknown or broken",
        "Use gzip, deflate, br or zstd, or none.";
    EVENTS_METHOD = "TM0109", 405, "This path takes POST",
        "Use POST.";
    EVENTS_TIMEOUT = "TM0110", 408, "The body did not arrive in time",
        "Send again; smaller requests help on slow networks.";
    OVERLOADED = "TM0111", 503, "The server is busy",
        "Nothing was accepted: send again after the time in `Retry-After`.";
    LOG_UNAVAILABLE = "TM0112", 503, "Events cannot be stored now",
        "Nothing was accepted: send again later. The operator sees the cause in /health/ready.";
    UNCERTAIN = "TM0113", 500, "Events may or may not have been stored",
        "Send again with the same insert ids: what is already stored counts once.";
    THROTTLED = "TM0114", 429, "A device, a user or a key sends more events than it may",
        "Send again after the time in `Retry-After`, and look why so much is sent. The operator finds the limits in `throttle.json`.";

    BAD_URL = "TM0120", 400, "The request's URL is not valid",
        "Check the URL, in particular what is percent-encoded.";
    WEB_DOWN = "TM0121", 503, "The web process is not running",
        "Events are still accepted. It is restarted by itself: try again in a few seconds; /health/ready shows its state.";

    NOT_SIGNED_IN = "TM0201", 401, "The request carries no credential",
        "Log in, or send a key as `Authorization: Bearer KEY`.";
    BAD_CREDENTIAL = "TM0202", 401, "The credential is not valid",
        "The key may have been revoked or mistyped. A person with access can create a new one.";
    FORBIDDEN = "TM0203", 403, "The credential may not do that",
        "Write keys only send events and read receipts; secret keys read and manage their project; admin keys and people the instance.";
    NO_PROJECT = "TM0204", 404, "There is no such project",
        "Use the id or the exact name. A secret key only knows its own project.";
    NO_CSRF = "TM0205", 403, "The request lacks the session's CSRF token",
        "Send the `csrf` value of GET /api/v1/session as header `x-csrf-token`.";
    CROSS_SITE = "TM0206", 403, "The request came from a page of another site",
        "Programs should use a key instead of a session.";
    KEY_IN_URL = "TM0207", 400, "A key was put into the URL",
        "Send it as `Authorization: Bearer KEY`, and replace it: URLs are kept in logs and histories.";
    WRONG_LOGIN = "TM0208", 401, "Address or password is wrong",
        "Check both; the password distinguishes upper and lower case.";
    TOO_MANY_LOGINS = "TM0209", 429, "Too many attempts",
        "Wait for the time in `Retry-After`. Attempts during that time are not counted.";
    WEAK_PASSWORD = "TM0210", 400, "The password cannot be used",
        "Choose at least 10 characters.";
    BAD_EMAIL = "TM0211", 400, "The address cannot be used",
        "Give an email address such as ann@example.org.";
    WRONG_SETUP_CODE = "TM0212", 403, "The set-up code is wrong",
        "Use the code that the server printed when it started last; each start prints a new one.";
    SETUP_GONE = "TM0213", 410, "The instance is set up already",
        "Log in instead.";

    QUERY_MALFORMED = "TM0301", 400, "A part of the query has the wrong type or value",
        "The message names the place; the hint says what is accepted there.";
    QUERY_UNKNOWN_KEY = "TM0302", 400, "The query has a key that does not exist",
        "The message names the place; the hint lists the keys that exist.";
    QUERY_UNSUPPORTED = "TM0303", 400, "The query uses an option that is not computed yet",
        "Leave the option out, or use its default. Options are refused rather than ignored.";
    NO_PERSON = "TM0304", 404, "There is no such person in this project",
        "Use a person from the persons list, or a raw user or device id.";
    QUERY_NO_PROJECT = "TM0305", 404, "The project has no data to ask about",
        "Use the id or the exact name of a project.";
    QUERY_INVALID = "TM0306", 400, "The query cannot be answered as asked",
        "The message says why.";
    QUERY_MEMORY = "TM0311", 422, "The query needs more memory than it may have",
        "Shorten the range, add conditions, or break down by a property with fewer values. Collection is not affected.";
    QUERY_TIME = "TM0312", 422, "The query ran longer than it may",
        "Shorten the range or add conditions.";
    QUERY_CANCELLED = "TM0313", 499, "The query was cancelled",
        "The caller went away or asked to stop.";
    QUERY_STORAGE = "TM0314", 503, "Stored data could not be read",
        "Try again. If it stays, the operator should run `tallymark verify`.";
    QUERY_QUEUE = "TM0315", 503, "Too many queries are waiting",
        "Try again after the time in `Retry-After`.";
    TAIL_LIMIT = "TM0316", 503, "Too many live streams are open",
        "Close some, or poll the events list instead.";
    QUERY_ROWS = "TM0317", 422, "The query would read more rows than it may",
        "Shorten the range, or name the events that matter.";

    SQL_UNCLEAR = "TM0321", 400, "The SQL cannot be understood",
        "The message says what and where. docs/sql.md lists tables, columns and functions; event and property names stand in quotes as they were sent.";
    SQL_NOT_ALLOWED = "TM0322", 400, "The SQL asks for what is not allowed",
        "One SELECT, WITH or VALUES statement over this project's tables is allowed, and EXPLAIN of one.";
    SQL_TOO_LARGE = "TM0323", 400, "The SQL statement is too long or too deep",
        "Write long lists of values as IN (…), use WITH instead of nesting, or use a cohort.";
    SQL_FAILED = "TM0324", 400, "A value made the SQL statement fail",
        "The message says which operation failed. TRY_CAST, NULLIF and coalesce help with values that vary.";

    NAME_TAKEN = "TM0401", 409, "A project of this name exists",
        "Choose another name.";
    BAD_NAME = "TM0402", 400, "The name cannot be used for a project",
        "A name has 1 to 100 characters, not only digits, no slash and no control characters.";
    WEAK_KEY = "TM0403", 400, "The given key cannot be used",
        "Leave it out to have one made, or give 16 or more random characters.";
    KEY_TAKEN = "TM0404", 409, "The key is already in use",
        "Keys are never shared or used again. Leave it out to have one made.";
    BAD_TIMEZONE = "TM0405", 400, "The time zone is unknown",
        "Use an IANA name such as Europe/Berlin, or UTC.";
    EMAIL_TAKEN = "TM0406", 409, "A user with this address exists",
        "Log in, or use another address.";
    NO_KEY = "TM0407", 404, "There is no such key",
        "List the keys first; a revoked key cannot be revoked again.";
    BAD_RECEIPT = "TM0408", 400, "The receipt cannot be read",
        "Send the `receipt` of an answer to POST /api/v1/events, unchanged.";
    BAD_SETTING = "TM0409", 400, "A setting has an unusable value",
        "The message names the setting and what is wrong with it.";

    STATE_DAMAGED = "TM0501", 0, "A state delta or checkpoint is damaged",
        "Checkpoints are derived again by themselves. For a delta, restore objects/deltas from a backup.";
    STATE_VERSION = "TM0502", 0, "State was written by a newer version",
        "Upgrade Tallymark, or start from a backup made by this version.";
    STATE_GAP = "TM0503", 0, "A commit is missing between state and catalog",
        "Delete the state folder: it is derived again from the deltas.";
    STATE_FOREIGN = "TM0504", 0, "State and catalog belong to different installations",
        "Delete the state folder, or use the catalog it was made with.";
    STATE_MISMATCH = "TM0505", 0, "A delta does not fit the state before it",
        "Delete the state folder: it is derived again. If it stays, run `tallymark verify`.";
    STATE_IO = "TM0506", 0, "The state folder cannot be used",
        "Check that the disk has space and that the folder may be written.";

    PROCESSOR_FENCED = "TM0601", 0, "Another processor has taken over",
        "Nothing to do if that was meant. Otherwise make sure that only one server uses the data folder.";
    WRONG_LOG = "TM0602", 0, "The catalog belongs to another log",
        "Use the log folder and the catalog of one installation, for example from one backup.";
    LOG_UNREADABLE = "TM0603", 0, "The log cannot be read",
        "Check the disk and the permissions of the log folder; the processor tries again.";
    LOG_GAP = "TM0604", 0, "A part of the log is gone",
        "The shard waits, others go on. Restore the log's files, skip the range, or declare it lost.";
    CATALOG_REFUSED = "TM0605", 0, "The catalog refused a commit or failed",
        "Check disk space and permissions of catalog.db; the processor tries again.";
    STATE_BEHIND = "TM0606", 0, "State cannot follow the catalog",
        "Delete the state folder: it is derived again. If it stays, run `tallymark verify`.";
    STORE_FAILED = "TM0607", 0, "The object store failed",
        "Check disk space and permissions of the objects folder; the processor tries again.";
    STEP_PANICKED = "TM0608", 0, "A processing step failed unexpectedly",
        "The process is started again and nothing is lost. Report the message with the log's lines before it.";
    FAILPOINT = "TM0609", 0, "Stopped by a failpoint",
        "Failpoints are for tests: remove the setting that switches it on.";
    DELTA_UNDERIVABLE = "TM0610", 0, "A state delta is gone and cannot be derived again",
        "Restore the object from a backup, or the records of its interval from the archive; then start again.";

    CATALOG_DATABASE = "TM0701", 503, "The catalog database failed",
        "Check disk space and permissions of catalog.db. Events are still collected.";
    CATALOG_SCHEMA = "TM0702", 0, "The catalog's schema could not be brought up to date",
        "If the file comes from a newer version, upgrade Tallymark; else restore the catalog from a backup.";
    CATALOG_CORRUPT = "TM0703", 500, "The catalog holds a row that cannot be read",
        "Restore the catalog from a backup.";
    CATALOG_VIOLATION = "TM0704", 500, "A commit does not add up and was refused",
        "Nothing was changed. This is a defect of Tallymark: report the message, which names the invariant.";
    CATALOG_MALFORMED = "TM0705", 500, "A commit could never apply and was refused",
        "Nothing was changed. This is a defect of Tallymark: report the message.";
    CATALOG_WRONG_LOG = "TM0706", 0, "The catalog belongs to another log",
        "Use the log folder and the catalog of one installation, for example from one backup.";
    CATALOG_OTHER_HOST = "TM0707", 0, "Another host is using the data folder",
        "Stop the server on the other host, or wait until its lease has run out: at most a minute.";
    CATALOG_FUTURE = "TM0708", 400, "A commit was asked for that does not exist yet",
        "Ask for the newest one, or wait.";

    CONFIRM_NEEDED = "TM0801", 428, "The environment is protected and the request does not name it",
        "If this is meant, send the environment's name as `confirm` (command line: `--environment NAME`).";
    WRONG_ENVIRONMENT = "TM0802", 409, "The request was meant for another environment",
        "Nothing was done. Check which server the key and the URL belong to.";
    NO_JOB = "TM0803", 404, "There is no such job",
        "List the jobs first.";
    JOB_OVER = "TM0804", 409, "The job is over",
        "What it did stays done; start another one if more is to be done.";
    BAD_JOB = "TM0805", 400, "The job cannot be started like this",
        "The message names the place and what is accepted there.";
    NO_RULE = "TM0806", 404, "There is no such rule in this project",
        "List the rules first.";
    BAD_RULE = "TM0807", 400, "The rule cannot be used",
        "The message names the place and what is accepted there.";
    NO_ERASURE = "TM0808", 404, "There is no such erasure in this project",
        "List the erasures first.";
    UNDO_GONE = "TM0809", 410, "It is too late to take this back",
        "The time to undo is over. A backup from before may still hold the data.";
    NO_RECORD = "TM0810", 404, "There is no such record in this project",
        "A position is written as live/0@123. Records that the log no longer holds are shown to operators only.";
    BAD_MAPPING = "TM0811", 400, "The mapping cannot be used",
        "The message names the field. Expressions are CEL and see the letter's fields as `row`.";
    NO_ALERT = "TM0812", 404, "There is no such open alert",
        "List the alerts first; a resolved one needs no acknowledgement.";
    NO_MAINTENANCE = "TM0813", 404, "There is no such maintenance window",
        "List the windows first.";
    NOT_CONFIRMED = "TM0814", 0, "A destructive command was not confirmed",
        "Nothing was done. Type the environment's name when asked, or give `--environment NAME`; `--yes` alone is not enough.";
    NO_INCIDENT = "TM0815", 404, "There is no such incident",
        "List the alerts first: an incident has the id of its alert.";
    NO_DEFINITION = "TM0816", 404, "There is no such definition in this project",
        "List the definitions first.";
    BAD_DEFINITION = "TM0817", 400, "The definition cannot be used",
        "The message names the place and what is accepted there.";
    NO_COHORT = "TM0818", 404, "There is no such cohort in this project",
        "List the cohorts first.";
    BAD_COHORT = "TM0819", 400, "The cohort cannot be kept like this",
        "The message names the place and what is accepted there.";
    NO_SOURCE = "TM0820", 404, "There is no such source in this project",
        "List the sources first: one that ended is not listed any more.";
}

/// The row of a code.
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().copied().find(|c| c.code == code)
}

/// The content of `docs/errors.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Error codes\n\nMade from `crates/edge/api/src/codes.rs` by `cargo run -p tallymark-api --example documents`; \
         do not edit.\n\nA running server shows each code at `/docs/errors/{code}`.\n",
    );
    for c in CODES {
        let status =
            if c.status == 0 { "logs and command line".to_owned() } else { format!("HTTP {}", c.status) };
        out.push_str(&format!("\n## {}\n\n**{}** ({status})\n\n{}\n", c.code, c.title, c.remedy));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_ordered_distinct_and_complete() {
        assert!(CODES.windows(2).all(|w| w[0].code < w[1].code));
        for c in CODES {
            assert!(c.code.len() == 6 && c.code.starts_with("TM"), "{}", c.code);
            assert!(c.remedy.ends_with('.') && !c.title.ends_with('.'), "{}", c.code);
        }
        assert_eq!(find("TM0201"), Some(&NOT_SIGNED_IN));
        assert_eq!(find("TM9999"), None);
    }
}
