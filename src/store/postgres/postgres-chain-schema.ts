// The chain of the audit, as a migration of the PostgreSQL store.

/** Of an event in no chain, which a program of the version before stores too, the columns say nothing. */
export const auditChainScript = `
  ALTER TABLE audit ADD COLUMN chain bigint, ADD COLUMN link bigint, ADD COLUMN link_before text COLLATE "C";
  CREATE TABLE audit_chain (
    number bigint PRIMARY KEY,
    statement text NOT NULL,
    signature text NOT NULL,
    -- How far its writer is: it notices a store that went back.
    link bigint NOT NULL
  );
  CREATE TABLE audit_head (
    chain bigint NOT NULL,
    link bigint NOT NULL,
    is_last bigint NOT NULL,
    statement text NOT NULL,
    signature text NOT NULL,
    PRIMARY KEY (chain, link)
  );
  CREATE TABLE audit_cut (
    chain bigint NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    signed_by bigint NOT NULL,
    statement text NOT NULL,
    signature text NOT NULL,
    PRIMARY KEY (chain, first)
  );
`;
