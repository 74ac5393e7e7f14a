-- The books can be restated, rows masked, work asked for, rules edited. See 0001 for conventions.

ALTER TABLE commits ADD COLUMN origin   TEXT NOT NULL DEFAULT '{"kind":"live"}';   -- JSON of catalog::Origin
ALTER TABLE commits ADD COLUMN restated TEXT NOT NULL DEFAULT '[]';                -- JSON of ledger::Restatement
ALTER TABLE commits ADD COLUMN masks    TEXT NOT NULL DEFAULT '[]';                -- JSON of ledger::Interval

-- Replaced accounts, kept for ever.
CREATE TABLE restatements (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    seq           INTEGER NOT NULL,
    restatement   TEXT NOT NULL,              -- JSON of ledger::Restatement
    received_from INTEGER NOT NULL,
    received_to   INTEGER NOT NULL
) STRICT;
CREATE INDEX restatements_seq ON restatements (seq);

-- Rows at these positions, in segments added before `seq`, do not count.
CREATE TABLE masks (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    seq       INTEGER NOT NULL,
    lane      INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    from_pos  INTEGER NOT NULL,
    to_pos    INTEGER NOT NULL CHECK (to_pos > from_pos)
) STRICT;
CREATE INDEX masks_shard ON masks (lane, part, from_pos);

-- What is neither decided nor needs a look at every row to be found.
CREATE INDEX ledger_anomalies ON ledger (lane, part, from_pos)
    WHERE substr(account, 1, 22) <> '{"account":"accounted"';

CREATE TABLE jobs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,
    project     INTEGER,
    spec        TEXT NOT NULL,
    dry_run     INTEGER NOT NULL,
    by_whom     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    state       TEXT NOT NULL,
    wish        TEXT NOT NULL,
    progress    TEXT NOT NULL,
    report      TEXT NOT NULL,
    error       TEXT,
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    updated_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX jobs_state ON jobs (state);

CREATE TABLE rules (
    id           INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    project      INTEGER NOT NULL,
    rule         TEXT NOT NULL,               -- JSON of model::Rule
    made_at      INTEGER NOT NULL,
    published_at INTEGER,
    PRIMARY KEY (id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE erasures (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    project      INTEGER NOT NULL,
    erasure      TEXT NOT NULL,               -- JSON of model::Erasure
    made_at      INTEGER NOT NULL,
    published_at INTEGER,
    completed_at INTEGER
) STRICT;

CREATE TABLE settings (
    key        TEXT PRIMARY KEY,
    value      TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE projects ADD COLUMN deleted_at INTEGER;
ALTER TABLE projects ADD COLUMN undo_until INTEGER;
