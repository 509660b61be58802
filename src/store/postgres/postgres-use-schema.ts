// The counts of use in PostgreSQL, as a migration.

import { alsoGrant, ownedAs, ownPath } from './postgres-audit-days-schema.ts';

const names = ['audit_uses_of(text, text, text)', 'count_stored_uses()'];
const tables = ['audit_use', 'audit_use_hour', 'audit_use_state'];

/** Set to `told` in a transaction whose program counts what it stores. */
export const usesSetting = 'upstreamproxy.uses';

/** A program of the version before counts nothing: a trigger does it for it. What was stored before the migration is not counted. */
export const useScript = `
  CREATE TABLE audit_use (
    kind text COLLATE "C" NOT NULL,
    policy text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    uses bigint NOT NULL,
    last_ms bigint NOT NULL,
    failed_ms bigint,
    failed_code text,
    failed_trace text,
    PRIMARY KEY (kind, policy, name)
  );
  CREATE TABLE audit_use_hour (
    hour bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    policy text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    allowed bigint NOT NULL,
    denied bigint NOT NULL,
    failed bigint NOT NULL,
    PRIMARY KEY (kind, hour, policy, name)
  );
  CREATE TABLE audit_use_state (
    one integer PRIMARY KEY CHECK (one = 1),
    since_ms bigint NOT NULL
  );
  INSERT INTO audit_use_state VALUES (1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint);

  -- As src/store/uses/event-uses.ts counts. What no text of PostgreSQL can hold is replaced by what has as many digits.
  CREATE FUNCTION audit_uses_of(event text, verdict text, kind text)
    RETURNS TABLE (use_kind text, policy text, name text, outcome text, weight bigint, code text, trace text)
    LANGUAGE plpgsql IMMUTABLE AS $$
  DECLARE
    told record;
    ended text := CASE verdict WHEN 'allow' THEN 'allowed' WHEN 'deny' THEN 'denied' WHEN 'error' THEN 'failed' WHEN 'unknown' THEN 'failed' END;
    many bigint := 1;
  BEGIN
    IF ended IS NULL OR kind NOT IN ('exchange', 'stream') THEN RETURN; END IF;
    BEGIN
      SELECT * INTO told FROM json_to_record(regexp_replace(event, '\\\\u(0000|[dD][89a-fA-F]..)', '\\\\ufffd', 'g')::json) AS one
        (rule text, "policyName" text, observed text, injected json, count text, status text, "errorCode" text, "traceId" text);
    EXCEPTION WHEN data_exception THEN
      RETURN QUERY SELECT 'all', '', '', ended, 1::bigint, NULL::text, NULL::text;
      RETURN;
    END;
    IF told.count ~ '^[1-9][0-9]{0,14}$' THEN many := told.count::bigint; END IF;
    RETURN QUERY SELECT 'all', '', '', ended, many, NULL::text, NULL::text;
    IF told.rule IS NOT NULL THEN
      RETURN QUERY SELECT 'rule', coalesce(told."policyName", ''), told.rule, ended, many,
        coalesce(told."errorCode", verdict), coalesce(told."traceId", '');
    END IF;
    IF told.observed IS NOT NULL THEN
      RETURN QUERY SELECT 'observed', coalesce(told."policyName", ''), told.observed, ended, many, NULL::text, NULL::text;
    END IF;
    IF json_typeof(told.injected) = 'array' THEN
      RETURN QUERY SELECT DISTINCT 'credential', '', one.value,
        CASE WHEN told.status = '401' AND ended = 'allowed' THEN 'failed' ELSE ended END, many,
        CASE WHEN told.status = '401' AND ended = 'allowed' THEN 'status_401' END, coalesce(told."traceId", '')
        FROM json_array_elements_text(told.injected) AS one (value) WHERE one.value IS NOT NULL;
    END IF;
  END $$;

  -- Whoever may store events need not be able to call the other one.
  CREATE FUNCTION count_stored_uses() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    now_ms bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  BEGIN
    IF current_setting('${usesSetting}', true) = 'told' THEN RETURN NULL; END IF;
    WITH used AS MATERIALIZED (
      SELECT use.*, least(stored.time_ms, now_ms) AS ms
      FROM stored CROSS JOIN LATERAL audit_uses_of(stored.event, stored.verdict, stored.kind) AS use
    ), hours AS (
      INSERT INTO audit_use_hour AS held (hour, kind, policy, name, allowed, denied, failed)
      SELECT floor(ms / 3600000.0)::bigint, use_kind, policy, name, coalesce(sum(weight) FILTER (WHERE outcome = 'allowed'), 0)::bigint,
        coalesce(sum(weight) FILTER (WHERE outcome = 'denied'), 0)::bigint, coalesce(sum(weight) FILTER (WHERE outcome = 'failed'), 0)::bigint
      FROM used GROUP BY 1, 2, 3, 4 ORDER BY 2, 1, 3, 4
      ON CONFLICT (kind, hour, policy, name) DO UPDATE SET allowed = held.allowed + excluded.allowed,
        denied = held.denied + excluded.denied, failed = held.failed + excluded.failed
    )
    INSERT INTO audit_use AS held (kind, policy, name, uses, last_ms, failed_ms, failed_code, failed_trace)
    SELECT use_kind, policy, name, sum(weight)::bigint, max(ms), max(ms) FILTER (WHERE outcome = 'failed' AND code IS NOT NULL),
      (array_agg(code ORDER BY ms DESC) FILTER (WHERE outcome = 'failed' AND code IS NOT NULL))[1],
      (array_agg(trace ORDER BY ms DESC) FILTER (WHERE outcome = 'failed' AND code IS NOT NULL))[1]
    FROM used GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (kind, policy, name) DO UPDATE SET uses = held.uses + excluded.uses, last_ms = greatest(held.last_ms, excluded.last_ms),
      failed_ms = CASE WHEN excluded.failed_ms >= coalesce(held.failed_ms, 0) THEN excluded.failed_ms ELSE held.failed_ms END,
      failed_code = CASE WHEN excluded.failed_ms >= coalesce(held.failed_ms, 0) THEN excluded.failed_code ELSE held.failed_code END,
      failed_trace = CASE WHEN excluded.failed_ms >= coalesce(held.failed_ms, 0) THEN excluded.failed_trace ELSE held.failed_trace END;
    RETURN NULL;
  END $$;
  CREATE TRIGGER audit_used AFTER INSERT ON audit REFERENCING NEW TABLE AS stored
    FOR EACH STATEMENT EXECUTE FUNCTION count_stored_uses();

  ${ownPath(names)}
  ${alsoGrant('SELECT', [`SELECT ON ${tables.join(', ')}`])}
  ${alsoGrant('INSERT', [`SELECT, INSERT, UPDATE, DELETE ON ${tables.slice(0, 2).join(', ')}`])}
  ${ownedAs(names, tables)}
`;
