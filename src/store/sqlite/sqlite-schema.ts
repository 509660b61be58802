// The schema of the SQLite store as migrations, which only go forward.

import type { Migration } from '../schema-version.ts';
import { auditChainScript } from './sqlite-audit-chain-schema.ts';
import { childrenScript } from './sqlite-children-schema.ts';
import { firstSeenOwnersScript, firstSeenRowOwnersScript, firstSeenScript } from './sqlite-first-seen.ts';
import { knownIdsScript } from './sqlite-known-ids.ts';
import { keptTokenScript } from './sqlite-kept-tokens.ts';
import { leaseScript } from './sqlite-leases.ts';
import { questionRootScript, questionScript } from './sqlite-question-schema.ts';
import { treeHeadScript } from './sqlite-tree-heads.ts';
import { useScript } from './sqlite-use-schema.ts';

/**
 * A released one is never changed. One that adds leaves `servesFrom` as it is, so that programs of the version before go on beside
 * this one (expand); one that removes raises it, a release later (contract). See docs/reference/store.md.
 */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    servesFrom: 1,
    script: `
      CREATE TABLE session (
        id TEXT PRIMARY KEY,
        token_key TEXT NOT NULL,
        token_expires_ms INTEGER NOT NULL,
        principal_id TEXT NOT NULL,
        claims TEXT NOT NULL,
        posture TEXT NOT NULL,
        key_thumbprint TEXT NOT NULL,
        agent_version TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('enrolled', 'committed', 'ended', 'revoked')),
        enrolled_ms INTEGER NOT NULL,
        commit_by_ms INTEGER NOT NULL,
        ends_ms INTEGER NOT NULL,
        committed_ms INTEGER,
        over_ms INTEGER,
        reason TEXT
      ) STRICT;
      CREATE INDEX session_by_token ON session (token_key);
      CREATE INDEX session_by_time ON session (enrolled_ms);
      CREATE INDEX session_living ON session (ends_ms) WHERE state IN ('enrolled', 'committed');
      CREATE INDEX session_over ON session (over_ms) WHERE over_ms IS NOT NULL;
      -- AUTOINCREMENT: a number is never given twice, not even after pruning, so a follower misses nothing.
      CREATE TABLE session_ending (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id TEXT NOT NULL UNIQUE REFERENCES session (id) ON DELETE CASCADE,
        state TEXT NOT NULL,
        reason TEXT NOT NULL
      ) STRICT;
      CREATE TABLE consumed_token (
        token_key TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        expires_ms INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX consumed_token_by_expiry ON consumed_token (expires_ms);
      CREATE TABLE seen_proof (
        key_thumbprint TEXT NOT NULL,
        jti TEXT NOT NULL,
        expires_ms INTEGER NOT NULL,
        PRIMARY KEY (key_thumbprint, jti)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX seen_proof_by_expiry ON seen_proof (expires_ms);
      CREATE TABLE audit (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        time_ms INTEGER NOT NULL,
        session_id TEXT,
        verdict TEXT NOT NULL,
        kind TEXT NOT NULL,
        event TEXT NOT NULL
      ) STRICT;
      CREATE INDEX audit_by_session ON audit (session_id, sequence) WHERE session_id IS NOT NULL;
      CREATE INDEX audit_not_allowed ON audit (verdict, sequence) WHERE verdict <> 'allow';
      CREATE INDEX audit_by_time ON audit (time_ms);
    `,
  },
  {
    version: 2,
    servesFrom: 2,
    script: `
      CREATE TABLE session_presence (
        session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
        gateway_id TEXT NOT NULL,
        tunnels INTEGER NOT NULL,
        seen_ms INTEGER NOT NULL,
        policy_version TEXT NOT NULL,
        PRIMARY KEY (session_id, gateway_id)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE access_request (
        id TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        principal_id TEXT NOT NULL,
        scheme TEXT NOT NULL CHECK (scheme IN ('http', 'https')),
        host TEXT NOT NULL,
        port INTEGER NOT NULL,
        method TEXT,
        path TEXT,
        reason TEXT NOT NULL,
        trace_id TEXT,
        state TEXT NOT NULL CHECK (state IN ('pending', 'granted', 'denied', 'revoked', 'ended')),
        created_ms INTEGER NOT NULL,
        pending_until_ms INTEGER NOT NULL,
        decided_ms INTEGER,
        note TEXT,
        subject TEXT CHECK (subject IN ('session', 'principal')),
        scope TEXT CHECK (scope IN ('host', 'path', 'exact')),
        ends_ms INTEGER
      ) STRICT;
      CREATE INDEX access_request_by_session ON access_request (session_id, created_ms);
      CREATE INDEX access_request_by_time ON access_request (created_ms);
      CREATE INDEX access_request_open ON access_request (state) WHERE state IN ('pending', 'granted');
    `,
  },
  {
    version: 3,
    servesFrom: 3,
    script: `
      CREATE TABLE audit_open (
        id TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        event TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    version: 4,
    servesFrom: 3,
    script: `
      CREATE INDEX access_request_by_principal ON access_request (principal_id, created_ms);
    `,
  },
  {
    version: 5,
    servesFrom: 3,
    script: `
      CREATE TABLE session_budget (
        session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
        budget TEXT NOT NULL,
        taken INTEGER NOT NULL CHECK (taken >= 0),
        PRIMARY KEY (session_id, budget)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    version: 6,
    servesFrom: 3,
    // Triggers, so that programs of the version before keep the sums too. The first 1,000 events of each holder, which is a session, or
    // of those without one all of a verdict, are those up to `first_through`; what came later may be taken before its time.
    script: `
      CREATE INDEX audit_of_no_session ON audit (verdict, sequence) WHERE session_id IS NULL;
      CREATE TABLE audit_holding (
        holder TEXT PRIMARY KEY,
        events INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        first_events INTEGER NOT NULL,
        first_through INTEGER NOT NULL,
        later_events INTEGER NOT NULL,
        later_bytes INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE audit_total (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        events INTEGER NOT NULL,
        bytes INTEGER NOT NULL
      ) STRICT;
      INSERT INTO audit_holding
        SELECT holder, count(*), sum(bytes), min(count(*), 1000), max(iif(place <= 1000, sequence, 0)),
          sum(place > 1000), sum(iif(place > 1000, bytes, 0))
        FROM (
          SELECT holder, sequence, bytes, row_number() OVER (PARTITION BY holder ORDER BY sequence) AS place
          FROM (
            SELECT coalesce(session_id, ':' || verdict) AS holder, sequence, octet_length(event) AS bytes FROM audit
          )
        )
        GROUP BY holder;
      INSERT INTO audit_total SELECT 1, coalesce(sum(events), 0), coalesce(sum(bytes), 0) FROM audit_holding;
      CREATE INDEX audit_holding_later ON audit_holding (later_bytes) WHERE later_bytes > 0;
      CREATE TRIGGER audit_stored AFTER INSERT ON audit BEGIN
        INSERT INTO audit_holding VALUES
          (coalesce(NEW.session_id, ':' || NEW.verdict), 1, octet_length(NEW.event), 1, NEW.sequence, 0, 0)
        ON CONFLICT (holder) DO UPDATE SET
          events = events + 1,
          bytes = bytes + excluded.bytes,
          first_events = min(first_events + 1, 1000),
          first_through = iif(first_events < 1000, NEW.sequence, first_through),
          later_events = later_events + (first_events >= 1000),
          later_bytes = later_bytes + iif(first_events >= 1000, excluded.bytes, 0);
        UPDATE audit_total SET events = events + 1, bytes = bytes + octet_length(NEW.event);
      END;
      CREATE TRIGGER audit_removed AFTER DELETE ON audit BEGIN
        UPDATE audit_holding SET
          events = events - 1,
          bytes = bytes - octet_length(OLD.event),
          later_events = later_events - (OLD.sequence > first_through),
          later_bytes = later_bytes - iif(OLD.sequence > first_through, octet_length(OLD.event), 0)
        WHERE holder = coalesce(OLD.session_id, ':' || OLD.verdict);
        DELETE FROM audit_holding WHERE holder = coalesce(OLD.session_id, ':' || OLD.verdict) AND events <= 0;
        UPDATE audit_total SET events = events - 1, bytes = bytes - octet_length(OLD.event);
      END;
    `,
  },
  {
    version: 7,
    servesFrom: 3,
    script: `
      CREATE TABLE operator_token (
        id TEXT PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        sees TEXT,
        created_ms INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        expires_ms INTEGER NOT NULL,
        used_ms INTEGER,
        revoked_ms INTEGER
      ) STRICT;
    `,
  },
  {
    version: 8,
    servesFrom: 3,
    // Two updates a batch instead of two an event (sqlite-audit-sums.ts). A program of the version before says nothing of `counted`,
    // so that the trigger counts what it stores.
    script: `
      ALTER TABLE audit ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
      DROP TRIGGER audit_stored;
      CREATE TRIGGER audit_stored AFTER INSERT ON audit WHEN NEW.counted = 0 BEGIN
        INSERT INTO audit_holding VALUES
          (coalesce(NEW.session_id, ':' || NEW.verdict), 1, octet_length(NEW.event), 1, NEW.sequence, 0, 0)
        ON CONFLICT (holder) DO UPDATE SET
          events = events + 1,
          bytes = bytes + excluded.bytes,
          first_events = min(first_events + 1, 1000),
          first_through = iif(first_events < 1000, NEW.sequence, first_through),
          later_events = later_events + (first_events >= 1000),
          later_bytes = later_bytes + iif(first_events >= 1000, excluded.bytes, 0);
        UPDATE audit_total SET events = events + 1, bytes = bytes + octet_length(NEW.event);
      END;
    `,
  },
  {
    version: 9,
    servesFrom: 3,
    script: `
      CREATE TABLE policy_content (
        hash TEXT PRIMARY KEY,
        files TEXT NOT NULL
      ) STRICT;
      CREATE TABLE policy_version (
        policy TEXT NOT NULL,
        number INTEGER NOT NULL,
        hash TEXT NOT NULL,
        version TEXT NOT NULL,
        binding TEXT,
        is_withdrawn INTEGER NOT NULL,
        published_ms INTEGER NOT NULL,
        published_by TEXT NOT NULL,
        note TEXT,
        back_to INTEGER,
        PRIMARY KEY (policy, number)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX policy_version_by_hash ON policy_version (hash);
      CREATE TABLE policy_outcome (
        policy TEXT NOT NULL,
        number INTEGER NOT NULL,
        gateway_id TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('taken', 'refused')),
        reason TEXT,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (policy, number, gateway_id),
        FOREIGN KEY (policy, number) REFERENCES policy_version (policy, number) ON DELETE CASCADE
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE policy_kept (
        version TEXT PRIMARY KEY,
        content TEXT NOT NULL,
        seen_ms INTEGER NOT NULL
      ) STRICT;
    `,
  },
  {
    version: 10,
    servesFrom: 3,
    script: `
      CREATE TABLE gateway (
        incarnation TEXT PRIMARY KEY,
        peer_address TEXT,
        state TEXT NOT NULL CHECK (state IN ('serving', 'draining', 'left')),
        change_seen INTEGER NOT NULL,
        lease_until_ms INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX gateway_by_lease ON gateway (lease_until_ms);
      CREATE TABLE identity (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        version INTEGER NOT NULL,
        sealed TEXT NOT NULL
      ) STRICT;
    `,
  },
  {
    version: 11,
    servesFrom: 3,
    // Columns that are read out of the event, so what a program of the version before stores is found too. A mark says that no event up
    // to its sequence is of a later time: what is asked for since a time begins behind one.
    script: `
      ALTER TABLE audit ADD COLUMN host TEXT AS (event ->> '$.host') VIRTUAL;
      ALTER TABLE audit ADD COLUMN principal TEXT AS (event ->> '$.principal') VIRTUAL;
      ALTER TABLE audit ADD COLUMN trace TEXT AS (event ->> '$.traceId') VIRTUAL;
      CREATE INDEX audit_by_host ON audit (host, sequence) WHERE host IS NOT NULL;
      CREATE INDEX audit_refused_by_host ON audit (host, sequence) WHERE verdict <> 'allow';
      CREATE INDEX audit_by_principal ON audit (principal, sequence) WHERE principal IS NOT NULL;
      CREATE INDEX audit_by_trace ON audit (trace);
      CREATE INDEX audit_no_exchange ON audit (kind, sequence) WHERE kind <> 'exchange';
      CREATE TABLE audit_mark (
        sequence INTEGER PRIMARY KEY,
        high_ms INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX audit_mark_by_time ON audit_mark (high_ms);
    `,
  },
  {
    version: 12,
    servesFrom: 3,
    // Six octets of a trace instead of its 32 digits: a third of what the index writes for each event.
    script: `
      DROP INDEX audit_by_trace;
      ALTER TABLE audit ADD COLUMN trace_start BLOB AS (unhex(substr(trace, 1, 12))) VIRTUAL;
      CREATE INDEX audit_by_trace ON audit (trace_start) WHERE trace_start IS NOT NULL;
    `,
  },
  {
    version: 13,
    servesFrom: 3,
    // Triggers, so that what programs of the version before change is counted too.
    script: `
      CREATE TABLE change_counter (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        value INTEGER NOT NULL
      ) STRICT;
      INSERT INTO change_counter SELECT 1, coalesce(max(sequence), 0) FROM session_ending;
      CREATE TRIGGER ending_counted AFTER INSERT ON session_ending BEGIN
        UPDATE change_counter SET value = value + 1;
      END;
      CREATE TRIGGER decision_counted AFTER UPDATE OF state ON access_request
        WHEN NEW.state IN ('granted', 'denied', 'revoked') BEGIN
        UPDATE change_counter SET value = value + 1;
      END;
      CREATE TRIGGER publication_counted AFTER INSERT ON policy_version BEGIN
        UPDATE change_counter SET value = value + 1;
      END;
    `,
  },
  {
    version: 14,
    servesFrom: 3,
    script: 'ALTER TABLE operator_token ADD COLUMN log_in TEXT;',
  },
  { version: 15, servesFrom: 3, script: auditChainScript },
  {
    version: 16,
    servesFrom: 3,
    script: 'ALTER TABLE access_request ADD COLUMN refs TEXT;',
  },
  {
    version: 17,
    servesFrom: 3,
    script: 'ALTER TABLE gateway ADD COLUMN identity_keys TEXT;',
  },
  {
    version: 18,
    servesFrom: 3,
    // A program that knows no refs finds no end of such a grant, takes it for none, and does not end it.
    script: `
      ALTER TABLE access_request ADD COLUMN refs_ends_ms INTEGER;
      UPDATE access_request SET refs_ends_ms = ends_ms, ends_ms = NULL WHERE refs IS NOT NULL;
    `,
  },
  {
    version: 19,
    servesFrom: 8,
    // Programs of version 8 and later count what they store. With a trigger on the table SQLite keeps what each statement would undo, a
    // copy of all pages that it changes: nearly half of what storing an event costs.
    script: 'DROP TRIGGER audit_stored;',
  },
  { version: 20, servesFrom: 8, script: useScript },
  { version: 21, servesFrom: 8, script: childrenScript },
  { version: 22, servesFrom: 8, script: knownIdsScript },
  { version: 23, servesFrom: 8, script: questionScript },
  { version: 24, servesFrom: 8, script: questionRootScript },
  { version: 25, servesFrom: 8, script: firstSeenScript },
  { version: 26, servesFrom: 8, script: firstSeenOwnersScript },
  { version: 27, servesFrom: 8, script: leaseScript },
  { version: 28, servesFrom: 8, script: firstSeenRowOwnersScript },
  { version: 29, servesFrom: 8, script: treeHeadScript },
  { version: 30, servesFrom: 8, script: keptTokenScript },
];
