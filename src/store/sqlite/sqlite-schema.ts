// The schema of the SQLite store as migrations, which only go forward.

import { ProxyError } from '../../protocol/error.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { integerOf } from './sqlite-row.ts';

/** Migration n leads from version n to n + 1. A released one is never changed. */
const migrations: readonly string[] = [
  `
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
  `
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
  `
  CREATE TABLE audit_open (
    id TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    event TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];

/** The schema version that this program writes. */
export const schemaVersion = migrations.length;

/** Brings the schema to this program's version. Throws `store_unavailable` if a newer program wrote the file. */
export function migrate(database: SqliteDatabase): void {
  // One transaction: two processes that open a new file together see no table or the whole schema.
  database.transaction(() => {
    database.script('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT');
    const row = database.get('SELECT max(version) AS version FROM schema_version WHERE version IS NOT NULL');
    const version = row === undefined || row['version'] === null ? 0 : integerOf(row, 'version');
    if (version > schemaVersion) {
      throw new ProxyError(
        'store_unavailable',
        `The store has schema version ${version}, this program knows versions up to ${schemaVersion}. ` +
          'Run the newer program that wrote it, or use another store.',
      );
    }
    if (version === schemaVersion) return;
    for (const migration of migrations.slice(version)) database.script(migration);
    database.script('DELETE FROM schema_version');
    database.run('INSERT INTO schema_version (version) VALUES (:version)', { version: schemaVersion });
  });
}
