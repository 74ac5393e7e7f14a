-- Duplicates whose content is another than their original's, by the commit that decided them.
CREATE TABLE conflict (
    seq         INTEGER NOT NULL,
    project     INTEGER NOT NULL,
    hour        INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    PRIMARY KEY (seq, project, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX conflict_by_project ON conflict (project, hour);
