-- Cohorts that projects keep, and who was in them when they were last looked at. See 0001 for conventions.

CREATE TABLE cohorts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    project     INTEGER NOT NULL,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL,                -- catalog::CohortKind
    definition  TEXT NOT NULL,                -- JSON; of a static one the list of its person ids
    version     INTEGER NOT NULL,             -- counts changes of the definition
    made_by     TEXT NOT NULL,
    made_at     INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    UNIQUE (project, name)
) STRICT;

-- Derived: computed again when the project's commits or the definition have moved on.
CREATE TABLE cohort_members (
    cohort      INTEGER PRIMARY KEY REFERENCES cohorts (id) ON DELETE CASCADE,
    version     INTEGER NOT NULL,             -- of the definition
    seq         INTEGER NOT NULL,             -- the commit it was computed at
    computed_at INTEGER NOT NULL,
    took_ms     INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    members     BLOB NOT NULL,                -- insights::Members; empty if it failed
    problem     TEXT                          -- why it could not be computed
) STRICT;
