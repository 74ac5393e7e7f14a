-- Who sends what, so that what is usual for a source outlives the watch.
CREATE TABLE source (
    id          TEXT PRIMARY KEY,
    project     INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX source_by_project ON source (project);

-- How far the log was listened to: written together with what was heard.
CREATE TABLE source_offset (
    shard       TEXT PRIMARY KEY,
    next        INTEGER NOT NULL
) STRICT;

-- Apart from the source, which the watch replaces, so that neither overwrites the other.
CREATE TABLE source_choice (
    id          TEXT PRIMARY KEY,
    watched     INTEGER NOT NULL DEFAULT 1,
    ended_at    INTEGER,               -- what it sent until then is forgotten
    by          TEXT NOT NULL
) STRICT;
