//! Commits, cursors, leases, segments, projects and keys in SQLite.
