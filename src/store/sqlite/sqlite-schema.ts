// The schema of the SQLite store as migrations, which only go forward.

import type { Migration } from '../schema-version.ts';

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
];
