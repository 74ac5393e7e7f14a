-- What a project calls things: virtual events, custom properties, lookup tables, renames. See 0001 for conventions.

-- Every version of every definition; the newest one holds. Queries read them, nothing that is stored depends on them.
CREATE TABLE definitions (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    project  INTEGER NOT NULL,
    kind     TEXT NOT NULL,                   -- catalog::DefinitionKind
    name     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    body     TEXT,                            -- JSON; NULL: deleted by this version
    made_by  TEXT NOT NULL,
    made_at  INTEGER NOT NULL,
    UNIQUE (project, kind, name, version)
) STRICT;
