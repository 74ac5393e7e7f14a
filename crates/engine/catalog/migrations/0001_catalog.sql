-- Everything the catalog remembers. Rows grow with commits, segments and configuration only (I11).
-- Lanes are stored by number; fingerprints as 32 hex digits; times in ms UTC; all integers are 64-bit.

CREATE TABLE instance (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    log_id      TEXT,
    host        TEXT NOT NULL,
    epoch       INTEGER NOT NULL DEFAULT 0,   -- last epoch given out, over all leases
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE lease (
    name        TEXT PRIMARY KEY,
    owner       TEXT NOT NULL,
    epoch       INTEGER NOT NULL,
    until       INTEGER NOT NULL
) STRICT;

CREATE TABLE cursor (
    lane        INTEGER NOT NULL,
    part        INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    received_to INTEGER NOT NULL,
    PRIMARY KEY (lane, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE commits (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    epoch       INTEGER NOT NULL,
    delta       TEXT,
    advances    TEXT NOT NULL,
    removed     TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE ledger (
    lane          INTEGER NOT NULL,
    part          INTEGER NOT NULL,
    from_pos      INTEGER NOT NULL,
    to_pos        INTEGER NOT NULL CHECK (to_pos > from_pos),
    account       TEXT NOT NULL,              -- JSON of ledger::Account
    received_from INTEGER NOT NULL,
    received_to   INTEGER NOT NULL,
    PRIMARY KEY (lane, part, from_pos)
) STRICT, WITHOUT ROWID;

-- The tally of one ledger row, split by project.
CREATE TABLE project_ledger (
    project       INTEGER NOT NULL,
    lane          INTEGER NOT NULL,
    part          INTEGER NOT NULL,
    from_pos      INTEGER NOT NULL,
    visible       INTEGER NOT NULL,
    duplicate     INTEGER NOT NULL,
    filtered      INTEGER NOT NULL,
    dead          INTEGER NOT NULL,
    control       INTEGER NOT NULL,
    hole          INTEGER NOT NULL,
    fingerprint   TEXT NOT NULL,
    PRIMARY KEY (project, lane, part, from_pos)
) STRICT, WITHOUT ROWID;

CREATE TABLE segments (
    id          TEXT PRIMARY KEY,
    project     INTEGER NOT NULL,
    added_seq   INTEGER NOT NULL,
    removed_seq INTEGER,
    meta        TEXT NOT NULL                 -- JSON of ledger::SegmentMeta
) STRICT, WITHOUT ROWID;
CREATE INDEX segments_live    ON segments (project, added_seq) WHERE removed_seq IS NULL;
CREATE INDEX segments_removed ON segments (project, removed_seq) WHERE removed_seq IS NOT NULL;
CREATE INDEX segments_added   ON segments (added_seq);

CREATE TABLE projects (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    timezone    TEXT NOT NULL,
    week_start  TEXT NOT NULL,
    settings    TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE keys (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT NOT NULL CHECK (kind IN ('write', 'secret', 'admin')),
    project      INTEGER REFERENCES projects (id),
    name         TEXT NOT NULL,
    token        BLOB NOT NULL UNIQUE,        -- first 16 bytes of the SHA-256, as in the log
    hash         BLOB NOT NULL,               -- all 32 bytes
    prefix       TEXT NOT NULL,
    clear        TEXT,
    created_at   INTEGER NOT NULL,
    revoked_at   INTEGER,
    last_used_at INTEGER,
    CHECK ((kind = 'admin') = (project IS NULL)),
    CHECK ((kind = 'write') = (clear IS NOT NULL))
) STRICT;
CREATE INDEX keys_project ON keys (project);

CREATE TABLE users (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    email       TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name        TEXT NOT NULL,
    password    TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    hash         BLOB PRIMARY KEY,
    user         INTEGER NOT NULL REFERENCES users (id),
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user);

CREATE TABLE setup (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    hash        BLOB NOT NULL,
    used_at     INTEGER
) STRICT;

CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    action      TEXT NOT NULL,
    subject     TEXT NOT NULL
) STRICT;
