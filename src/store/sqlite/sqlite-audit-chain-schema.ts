// The chain of the audit, as a migration of the SQLite store.

/** Of an event in no chain, which a program of the version before stores too, the columns say nothing. */
export const auditChainScript = `
  ALTER TABLE audit ADD COLUMN chain INTEGER;
  ALTER TABLE audit ADD COLUMN link INTEGER;
  ALTER TABLE audit ADD COLUMN link_before TEXT;
  CREATE TABLE audit_chain (
    number INTEGER PRIMARY KEY,
    statement TEXT NOT NULL,
    signature TEXT NOT NULL,
    -- Of use where the store can go back (PostgreSQL).
    link INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE audit_head (
    chain INTEGER NOT NULL,
    link INTEGER NOT NULL,
    is_last INTEGER NOT NULL,
    statement TEXT NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (chain, link)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE audit_cut (
    chain INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    signed_by INTEGER NOT NULL,
    statement TEXT NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (chain, first)
  ) STRICT;
`;
