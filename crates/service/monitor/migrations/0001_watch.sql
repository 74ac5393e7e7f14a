-- What the watch remembers, in a file of its own: it must work while the catalog is gone.
-- Times in ms UTC; bodies are JSON of the type of the same name.

CREATE TABLE snapshot (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    at          INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;

CREATE TABLE incident (
    id          TEXT PRIMARY KEY,
    opened_at   INTEGER NOT NULL,
    resolved_at INTEGER,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX incident_by_time ON incident (opened_at);
CREATE INDEX incident_open ON incident (resolved_at);

CREATE TABLE incident_update (
    incident    TEXT NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    seq         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (incident, seq)
) STRICT, WITHOUT ROWID;

-- Apart from the incident's body, which the watch replaces, so that neither overwrites the other.
CREATE TABLE acknowledgement (
    incident    TEXT PRIMARY KEY REFERENCES incident (id) ON DELETE CASCADE,
    body        TEXT NOT NULL
) STRICT;

-- What monitors found in the last round, with when it was seen first.
CREATE TABLE finding (
    id          TEXT PRIMARY KEY,      -- monitor/key
    first_seen  INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;

-- What the auditor reported and has not resolved.
CREATE TABLE reported (
    key         TEXT PRIMARY KEY,
    at          INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;

CREATE TABLE delivery (
    id          TEXT PRIMARY KEY,
    incident    TEXT NOT NULL,
    channel     TEXT NOT NULL,
    dedup       TEXT NOT NULL,         -- what about the incident: opened, update:7, reminder:2, …
    created_at  INTEGER NOT NULL,
    next_at     INTEGER,               -- NULL = done, one way or the other
    attempts    INTEGER NOT NULL DEFAULT 0,
    sent_at     INTEGER,
    error       TEXT,
    body        TEXT NOT NULL,
    UNIQUE (incident, channel, dedup)
) STRICT;
CREATE INDEX delivery_due ON delivery (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX delivery_by_time ON delivery (created_at);

CREATE TABLE maintenance (
    id          TEXT PRIMARY KEY,
    starts_at   INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;

CREATE TABLE eta_run (
    id          TEXT PRIMARY KEY,
    started_at  INTEGER NOT NULL,
    drained_at  INTEGER,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX eta_run_by_time ON eta_run (started_at);

CREATE TABLE eta_point (
    run         TEXT NOT NULL REFERENCES eta_run (id) ON DELETE CASCADE,
    at          INTEGER NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (run, at)
) STRICT, WITHOUT ROWID;

-- Milliseconds per state, component and day (UTC), for uptime.
CREATE TABLE day (
    component   TEXT NOT NULL,
    day         TEXT NOT NULL,
    state       TEXT NOT NULL,
    ms          INTEGER NOT NULL,
    PRIMARY KEY (component, day, state)
) STRICT, WITHOUT ROWID;

-- Results of backups and rehearsals.
CREATE TABLE care_result (
    id          INTEGER PRIMARY KEY,
    kind        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    ok          INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX care_result_by_time ON care_result (kind, at);

-- Down-sampled facts for forecasts: by the minute, later by ten minutes, later by the hour.
CREATE TABLE sample (
    series      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    value       REAL NOT NULL,
    PRIMARY KEY (series, at)
) STRICT, WITHOUT ROWID;
