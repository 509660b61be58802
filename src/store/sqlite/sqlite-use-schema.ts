// The counts of use in SQLite, as a migration.

/**
 * A program of the version before stores events and counts nothing: `through` says up to which place all was counted, and whoever counts next
 * begins there. What was stored before the migration is not counted.
 */
export const useScript = `
  CREATE TABLE audit_use (
    kind TEXT NOT NULL,
    policy TEXT NOT NULL,
    name TEXT NOT NULL,
    uses INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    failed_ms INTEGER,
    failed_code TEXT,
    failed_trace TEXT,
    PRIMARY KEY (kind, policy, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE audit_use_hour (
    hour INTEGER NOT NULL,
    kind TEXT NOT NULL,
    policy TEXT NOT NULL,
    name TEXT NOT NULL,
    allowed INTEGER NOT NULL,
    denied INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (kind, hour, policy, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE audit_use_state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    since_ms INTEGER NOT NULL,
    through INTEGER NOT NULL
  ) STRICT;
  INSERT INTO audit_use_state SELECT 1, CAST(unixepoch('subsec') * 1000 AS INTEGER), coalesce(max(sequence), 0) FROM audit;
`;
