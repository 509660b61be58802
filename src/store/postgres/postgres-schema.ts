// The schema of the PostgreSQL store as migrations, which only go forward.

import type { Migration } from '../schema-version.ts';
import { actsScript } from './postgres-acts-schema.ts';
import {
  auditDaysBegunScript,
  auditDaysCheckedScript,
  auditInDaysScript,
} from './postgres-audit-days-schema.ts';
import { auditIndexesScript } from './postgres-audit-indexes.ts';
import { auditChainScript } from './postgres-chain-schema.ts';
import { firstSeenOwnersScript, firstSeenRowOwnersScript, firstSeenScript } from './postgres-first-seen.ts';
import { knownIdsScript } from './postgres-known-ids.ts';
import { keptTokenScript } from './postgres-kept-tokens.ts';
import { leaseScript } from './postgres-leases.ts';
import { publishChecksScript } from './postgres-publish-schema.ts';
import { questionRootScript, questionScript } from './postgres-question-schema.ts';
import { refsScript } from './postgres-refs-schema.ts';
import { childrenScript } from './postgres-children-schema.ts';
import { treeHeadScript } from './postgres-tree-heads.ts';
import { useScript } from './postgres-use-schema.ts';

/** Who listens there is told that the counter of changes moved; the payload is empty, for the counter says what is new. */
export const changeChannel = 'upstreamproxy_change';

/**
 * A released one is never changed. One that adds leaves `servesFrom` as it is, so that programs of the version before go on beside
 * this one (expand); one that removes raises it, a release later (contract). See docs/reference/store.md.
 *
 * Texts are compared octet by octet, as SQLite does. Statements name their columns: a `*` that was prepared breaks when a column comes.
 */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    servesFrom: 1,
    script: `
      CREATE TABLE session (
        id text COLLATE "C" PRIMARY KEY,
        token_key text COLLATE "C" NOT NULL,
        token_expires_ms bigint NOT NULL,
        principal_id text COLLATE "C" NOT NULL,
        claims text NOT NULL,
        posture text NOT NULL,
        key_thumbprint text COLLATE "C" NOT NULL,
        agent_version text NOT NULL,
        state text NOT NULL CHECK (state IN ('enrolled', 'committed', 'ended', 'revoked')),
        enrolled_ms bigint NOT NULL,
        commit_by_ms bigint NOT NULL,
        ends_ms bigint NOT NULL,
        committed_ms bigint,
        over_ms bigint,
        reason text
      );
      CREATE INDEX session_by_token ON session (token_key);
      CREATE INDEX session_by_time ON session (enrolled_ms, id);
      CREATE INDEX session_living ON session (ends_ms) WHERE state IN ('enrolled', 'committed');
      CREATE INDEX session_uncommitted ON session (commit_by_ms) WHERE state = 'enrolled';
      CREATE INDEX session_over ON session (over_ms) WHERE over_ms IS NOT NULL;

      -- A sequence gives its numbers before the commit, so a follower would pass over what commits later. The row is locked until
      -- the commit: its values are in commit order, without gaps.
      CREATE TABLE change_counter (
        one integer PRIMARY KEY CHECK (one = 1),
        value bigint NOT NULL
      );
      INSERT INTO change_counter VALUES (1, 0);
      CREATE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_notify('${changeChannel}', '');
        RETURN NULL;
      END $$;
      CREATE TRIGGER change_counted AFTER UPDATE ON change_counter FOR EACH ROW EXECUTE FUNCTION tell_change();
      CREATE TABLE session_ending (
        sequence bigint PRIMARY KEY,
        session_id text COLLATE "C" NOT NULL UNIQUE REFERENCES session (id) ON DELETE CASCADE,
        state text NOT NULL,
        reason text NOT NULL
      );

      CREATE TABLE consumed_token (
        token_key text COLLATE "C" PRIMARY KEY,
        session_id text COLLATE "C" NOT NULL,
        expires_ms bigint NOT NULL
      );
      CREATE INDEX consumed_token_by_expiry ON consumed_token (expires_ms);
      CREATE TABLE seen_proof (
        key_thumbprint text COLLATE "C" NOT NULL,
        jti text COLLATE "C" NOT NULL,
        expires_ms bigint NOT NULL,
        PRIMARY KEY (key_thumbprint, jti)
      );
      CREATE INDEX seen_proof_by_expiry ON seen_proof (expires_ms);
      CREATE TABLE session_presence (
        session_id text COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE,
        gateway_id text COLLATE "C" NOT NULL,
        tunnels bigint NOT NULL,
        seen_ms bigint NOT NULL,
        policy_version text NOT NULL,
        PRIMARY KEY (session_id, gateway_id)
      );
      CREATE TABLE session_budget (
        session_id text COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE,
        budget text COLLATE "C" NOT NULL,
        taken bigint NOT NULL CHECK (taken >= 0),
        PRIMARY KEY (session_id, budget)
      );
      CREATE TABLE access_request (
        id text COLLATE "C" PRIMARY KEY,
        session_id text COLLATE "C" NOT NULL,
        principal_id text COLLATE "C" NOT NULL,
        scheme text NOT NULL CHECK (scheme IN ('http', 'https')),
        host text COLLATE "C" NOT NULL,
        port bigint NOT NULL,
        method text COLLATE "C",
        path text COLLATE "C",
        reason text NOT NULL,
        trace_id text,
        state text NOT NULL CHECK (state IN ('pending', 'granted', 'denied', 'revoked', 'ended')),
        created_ms bigint NOT NULL,
        pending_until_ms bigint NOT NULL,
        decided_ms bigint,
        note text,
        subject text CHECK (subject IN ('session', 'principal')),
        scope text CHECK (scope IN ('host', 'path', 'exact')),
        ends_ms bigint
      );
      CREATE INDEX access_request_by_session ON access_request (session_id, created_ms);
      CREATE INDEX access_request_by_principal ON access_request (principal_id, created_ms);
      CREATE INDEX access_request_by_time ON access_request (created_ms, id);
      CREATE INDEX access_request_open ON access_request (state) WHERE state IN ('pending', 'granted');
      CREATE TABLE operator_token (
        id text COLLATE "C" PRIMARY KEY,
        digest text COLLATE "C" NOT NULL UNIQUE,
        name text NOT NULL,
        role text NOT NULL,
        sees text,
        created_ms bigint NOT NULL,
        created_by text NOT NULL,
        expires_ms bigint NOT NULL,
        used_ms bigint,
        revoked_ms bigint
      );

      CREATE TABLE audit (
        sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id text COLLATE "C" NOT NULL UNIQUE,
        time_ms bigint NOT NULL,
        session_id text COLLATE "C",
        verdict text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        event text NOT NULL
      );
      CREATE INDEX audit_by_session ON audit (session_id, sequence) WHERE session_id IS NOT NULL;
      CREATE INDEX audit_of_no_session ON audit (verdict, sequence) WHERE session_id IS NULL;
      CREATE INDEX audit_not_allowed ON audit (verdict, sequence) WHERE verdict <> 'allow';
      CREATE INDEX audit_no_exchange ON audit (kind, sequence) WHERE kind <> 'exchange';
      CREATE INDEX audit_by_time ON audit (time_ms);
      -- A process that leaves markers holds a lock of the session kind, which ends with its connection.
      CREATE TABLE audit_holder (
        id text COLLATE "C" PRIMARY KEY,
        lock_key bigint NOT NULL,
        held_at timestamptz NOT NULL
      );
      CREATE TABLE audit_open (
        id text COLLATE "C" PRIMARY KEY,
        holder text COLLATE "C" NOT NULL,
        event text NOT NULL
      );
      CREATE INDEX audit_open_by_holder ON audit_open (holder);

      -- Who holds how much of the audit: a session, or of the events without one all of a verdict. The first 1,000 events of each are
      -- those up to first_through; what came later may be taken before its time.
      CREATE TABLE audit_holding (
        holder text COLLATE "C" PRIMARY KEY,
        events bigint NOT NULL,
        bytes bigint NOT NULL,
        first_events bigint NOT NULL,
        first_through bigint NOT NULL,
        later_events bigint NOT NULL,
        later_bytes bigint NOT NULL
      );
      CREATE INDEX audit_holding_later ON audit_holding (later_bytes) WHERE later_bytes > 0;
      CREATE INDEX audit_holding_gone ON audit_holding (holder) WHERE events <= 0;
      CREATE TABLE audit_total (
        one integer PRIMARY KEY CHECK (one = 1),
        events bigint NOT NULL,
        bytes bigint NOT NULL
      );
      INSERT INTO audit_total VALUES (1, 0, 0);
      CREATE FUNCTION count_stored_audit() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO audit_holding AS held
          SELECT holder, count(*), sum(bytes), count(*) FILTER (WHERE place <= 1000),
            coalesce(max(sequence) FILTER (WHERE place <= 1000), 0),
            count(*) FILTER (WHERE place > 1000), coalesce(sum(bytes) FILTER (WHERE place > 1000), 0)
          FROM (
            SELECT holder, sequence, added.bytes,
              coalesce(known.first_events, 0) + row_number() OVER (PARTITION BY holder ORDER BY sequence) AS place
            FROM (
              SELECT coalesce(session_id, ':' || verdict) AS holder, sequence, octet_length(event) AS bytes FROM stored
            ) AS added
            LEFT JOIN audit_holding AS known USING (holder)
          ) AS placed
          GROUP BY holder ORDER BY holder
        ON CONFLICT (holder) DO UPDATE SET
          events = held.events + excluded.events,
          bytes = held.bytes + excluded.bytes,
          first_events = held.first_events + excluded.first_events,
          first_through = CASE WHEN excluded.first_events > 0 THEN excluded.first_through ELSE held.first_through END,
          later_events = held.later_events + excluded.later_events,
          later_bytes = held.later_bytes + excluded.later_bytes;
        UPDATE audit_total SET events = audit_total.events + added.events, bytes = audit_total.bytes + added.bytes
          FROM (SELECT count(*) AS events, coalesce(sum(octet_length(event)), 0) AS bytes FROM stored) AS added
          WHERE added.events > 0;
        RETURN NULL;
      END $$;
      CREATE TRIGGER audit_stored AFTER INSERT ON audit REFERENCING NEW TABLE AS stored
        FOR EACH STATEMENT EXECUTE FUNCTION count_stored_audit();
      CREATE FUNCTION count_removed_audit() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        UPDATE audit_holding AS held SET
          events = held.events - gone.events,
          bytes = held.bytes - gone.bytes,
          later_events = held.later_events - gone.later_events,
          later_bytes = held.later_bytes - gone.later_bytes
        FROM (
          SELECT known.holder, count(*) AS events, sum(octet_length(event)) AS bytes,
            count(*) FILTER (WHERE sequence > known.first_through) AS later_events,
            coalesce(sum(octet_length(event)) FILTER (WHERE sequence > known.first_through), 0) AS later_bytes
          FROM removed JOIN audit_holding AS known ON known.holder = coalesce(session_id, ':' || verdict)
          GROUP BY known.holder
        ) AS gone
        WHERE gone.holder = held.holder;
        DELETE FROM audit_holding WHERE events <= 0;
        UPDATE audit_total SET events = audit_total.events - gone.events, bytes = audit_total.bytes - gone.bytes
          FROM (SELECT count(*) AS events, coalesce(sum(octet_length(event)), 0) AS bytes FROM removed) AS gone
          WHERE gone.events > 0;
        RETURN NULL;
      END $$;
      CREATE TRIGGER audit_removed AFTER DELETE ON audit REFERENCING OLD TABLE AS removed
        FOR EACH STATEMENT EXECUTE FUNCTION count_removed_audit();
    `,
  },
  {
    version: 2,
    servesFrom: 1,
    script: `
      -- How far the spool of each gateway process was delivered. What it left open has the id of the spool as its holder.
      CREATE TABLE audit_spool (
        id text COLLATE "C" PRIMARY KEY,
        sequence bigint NOT NULL,
        delivered_at timestamptz NOT NULL,
        is_finished boolean NOT NULL
      );
    `,
  },
  {
    version: 3,
    servesFrom: 1,
    script: `
      CREATE TABLE policy_content (
        hash text COLLATE "C" PRIMARY KEY,
        files text NOT NULL
      );
      CREATE TABLE policy_version (
        policy text COLLATE "C" NOT NULL,
        number bigint NOT NULL,
        hash text COLLATE "C" NOT NULL,
        version text NOT NULL,
        binding text,
        is_withdrawn bigint NOT NULL,
        published_ms bigint NOT NULL,
        published_by text NOT NULL,
        note text,
        back_to bigint,
        PRIMARY KEY (policy, number)
      );
      CREATE INDEX policy_version_by_hash ON policy_version (hash);
      CREATE TABLE policy_outcome (
        policy text COLLATE "C" NOT NULL,
        number bigint NOT NULL,
        gateway_id text COLLATE "C" NOT NULL,
        state text NOT NULL CHECK (state IN ('taken', 'refused')),
        reason text,
        at_ms bigint NOT NULL,
        PRIMARY KEY (policy, number, gateway_id),
        FOREIGN KEY (policy, number) REFERENCES policy_version (policy, number) ON DELETE CASCADE
      );
      CREATE TABLE policy_kept (
        version text COLLATE "C" PRIMARY KEY,
        content text NOT NULL,
        seen_ms bigint NOT NULL
      );
    `,
  },
  {
    version: 4,
    servesFrom: 1,
    script: `
      CREATE TABLE gateway (
        incarnation text COLLATE "C" PRIMARY KEY,
        peer_address text,
        state text NOT NULL CHECK (state IN ('serving', 'draining', 'left')),
        change_seen bigint NOT NULL,
        lease_until timestamptz NOT NULL
      );
      CREATE INDEX gateway_by_lease ON gateway (lease_until);
      -- Keys that gateways share, sealed with a key that is not here.
      CREATE TABLE identity (
        one integer PRIMARY KEY CHECK (one = 1),
        version bigint NOT NULL,
        sealed text NOT NULL
      );
    `,
  },
  { version: 5, servesFrom: 1, script: auditIndexesScript },
  { version: 6, servesFrom: 1, script: 'ALTER TABLE operator_token ADD COLUMN log_in text;' },
  { version: 7, servesFrom: 1, script: auditChainScript },
  { version: 8, servesFrom: 1, script: actsScript },
  { version: 9, servesFrom: 1, script: publishChecksScript },
  { version: 10, servesFrom: 1, script: 'ALTER TABLE access_request ADD COLUMN refs text;' },
  { version: 11, servesFrom: 1, script: 'ALTER TABLE gateway ADD COLUMN identity_keys text;' },
  { version: 12, servesFrom: 1, script: refsScript },
  { version: 13, servesFrom: 1, script: auditDaysBegunScript },
  { version: 14, servesFrom: 1, script: auditDaysCheckedScript },
  { version: 15, servesFrom: 13, script: auditInDaysScript, waits: true },
  { version: 16, servesFrom: 13, script: useScript },
  { version: 17, servesFrom: 13, script: childrenScript },
  {
    version: 18,
    servesFrom: 13,
    script: knownIdsScript,
  },
  { version: 19, servesFrom: 13, script: questionScript },
  { version: 20, servesFrom: 13, script: questionRootScript },
  { version: 21, servesFrom: 13, script: firstSeenScript },
  { version: 22, servesFrom: 13, script: firstSeenOwnersScript },
  { version: 23, servesFrom: 13, script: leaseScript },
  { version: 24, servesFrom: 13, script: firstSeenRowOwnersScript },
  { version: 25, servesFrom: 13, script: treeHeadScript },
  { version: 26, servesFrom: 13, script: keptTokenScript },
];

/** What this program brings a store to. */
export const schemaVersion = migrations.at(-1)?.version ?? 0;
