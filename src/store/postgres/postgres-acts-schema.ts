// What operators do by a login of their own, as functions of the PostgreSQL store: they write no table themselves. As a migration.

/** By which role operators may call them; the script of roles makes it. */
const operatorRole = 'upstreamproxy_operator';

/** Those that operators call. A released migration is never changed: their bounds are those of the limits as they were then. */
const functions = [
  'operator_revoke_session(text, text, text)',
  'operator_grant_access(text, text, text, bigint, text, text)',
  'operator_close_access(text, text, text, text)',
  'operator_publish_policy(text, text, text, text, bigint, text, bigint, text)',
];

/**
 * Each act and its event are one transaction. Who did it is who logged in (`session_user`); another person is named only by a role that writes the
 * audit anyway, a gateway's. Locks are those of the program (postgres-lock.ts).
 */
export const actsScript = `
  CREATE TABLE operator_act (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Becomes that of its event, so that what two gateways take up is one event.
    id text COLLATE "C" NOT NULL UNIQUE,
    at_ms bigint NOT NULL,
    event text NOT NULL,
    taken_by text,
    taken_at timestamptz
  );

  CREATE FUNCTION operator_now_ms() RETURNS bigint LANGUAGE sql VOLATILE
    AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

  CREATE FUNCTION operator_name(person text) RETURNS text LANGUAGE plpgsql STABLE AS $$
  BEGIN
    IF person IS NULL THEN RETURN left(session_user::text, 100); END IF;
    IF NOT has_table_privilege(session_user, 'audit', 'INSERT') THEN
      RAISE EXCEPTION 'only the role of a gateway names another person' USING ERRCODE = '42501';
    END IF;
    RETURN left(person, 200);
  END $$;

  CREATE FUNCTION operator_record(action text, session_id text, principal text, message text, details json) RETURNS void
    LANGUAGE sql VOLATILE AS $$
    INSERT INTO operator_act (id, at_ms, event) VALUES (gen_random_uuid()::text, operator_now_ms(),
      json_build_object('action', action, 'sessionId', session_id, 'principal', principal, 'message', message,
        'details', details)::text)
  $$;

  CREATE FUNCTION operator_revoke_session(which text, why text, person text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    actor text := operator_name(person);
    known session%ROWTYPE;
    number bigint;
    reason_given text := left(coalesce(nullif(why, ''), 'an operator revoked it'), 1000);
  BEGIN
    PERFORM pg_advisory_xact_lock(1970432001, hashtext(token_key)) FROM session WHERE id = which;
    SELECT * INTO known FROM session WHERE id = which FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF known.state NOT IN ('enrolled', 'committed') THEN RETURN 'over'; END IF;
    IF known.state = 'enrolled' THEN
      INSERT INTO consumed_token (token_key, session_id, expires_ms)
        VALUES (known.token_key, known.id, known.token_expires_ms);
    END IF;
    UPDATE session SET state = 'revoked', reason = reason_given, over_ms = operator_now_ms() WHERE id = which;
    PERFORM operator_record('revoked', which, known.principal_id, 'The session was revoked: ' || reason_given || '.',
      json_build_object('operator', actor));
    UPDATE change_counter SET value = value + 1 RETURNING value INTO number;
    INSERT INTO session_ending (sequence, session_id, state, reason) VALUES (number, which, 'revoked', reason_given);
    RETURN 'revoked';
  END $$;

  CREATE FUNCTION operator_grant_access(which text, how_far text, for_whom text, for_ms bigint, words text, person text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    actor text := operator_name(person);
    known access_request%ROWTYPE;
    until_ms bigint;
  BEGIN
    -- What should hold longer than a day belongs into the policy.
    IF for_ms IS NULL OR for_ms < 1 OR for_ms > 86400000 OR how_far NOT IN ('host', 'path', 'exact')
      OR for_whom NOT IN ('session', 'principal') OR how_far IS NULL OR for_whom IS NULL THEN RETURN 'usage'; END IF;
    SELECT * INTO known FROM access_request WHERE id = which FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF known.state NOT IN ('pending', 'denied', 'granted') THEN RETURN 'over'; END IF;
    IF known.path IS NULL AND how_far <> 'host' THEN RETURN 'usage'; END IF;
    until_ms := operator_now_ms() + for_ms;
    UPDATE access_request SET state = 'granted', decided_ms = operator_now_ms(), note = left(words, 1000), scope = how_far,
      subject = for_whom, ends_ms = until_ms WHERE id = which;
    PERFORM operator_record('access_granted', known.session_id, known.principal_id,
      'Access ' || which || ' was granted: ' || known.host || ', scope ' || how_far || ', for the ' || for_whom || '.',
      json_build_object('id', which, 'operator', actor, 'was', known.state, 'note', left(words, 1000), 'endsMs', until_ms));
    UPDATE change_counter SET value = value + 1;
    RETURN 'granted';
  END $$;

  CREATE FUNCTION operator_close_access(which text, final_state text, words text, person text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    actor text := operator_name(person);
    known access_request%ROWTYPE;
  BEGIN
    IF final_state IS NULL OR final_state NOT IN ('denied', 'revoked') THEN RETURN 'usage'; END IF;
    SELECT * INTO known FROM access_request WHERE id = which FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF known.state <> (CASE final_state WHEN 'denied' THEN 'pending' ELSE 'granted' END) THEN RETURN 'over'; END IF;
    UPDATE access_request SET state = final_state, decided_ms = operator_now_ms(), note = left(words, 1000) WHERE id = which;
    PERFORM operator_record('access_' || final_state, known.session_id, known.principal_id,
      'Access ' || which || ' was ' || final_state || ': ' || known.host || '.',
      json_build_object('id', which, 'operator', actor, 'was', known.state, 'note', left(words, 1000)));
    UPDATE change_counter SET value = value + 1;
    RETURN final_state;
  END $$;

  -- Whether a JSON text is a list of [name, text] of files, or of claims with plain values.
  CREATE FUNCTION operator_is_files(given text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
  BEGIN
    RETURN json_typeof(given::json) = 'array' AND json_array_length(given::json) <= 200 AND NOT EXISTS (
      SELECT 1 FROM json_array_elements(given::json) AS one
      WHERE json_typeof(one) <> 'array' OR json_array_length(one) <> 2
        OR json_typeof(one -> 0) <> 'string' OR json_typeof(one -> 1) <> 'string'
        OR (one ->> 0) !~ '^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$');
  EXCEPTION WHEN data_exception THEN
    RETURN false;
  END $$;
  CREATE FUNCTION operator_is_binding(given text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
  BEGIN
    RETURN json_typeof(given::json) = 'object' AND (SELECT count(*) BETWEEN 1 AND 20
        AND bool_and(json_typeof(value) IN ('string', 'number', 'boolean')) FROM json_each(given::json));
  EXCEPTION WHEN data_exception THEN
    RETURN false;
  END $$;

  CREATE FUNCTION operator_publish_policy(named text, given_files text, called text, given_binding text, seen bigint,
    words text, again bigint, person text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    actor text := operator_name(person);
    head bigint;
    hashed text;
    is_empty boolean;
    is_for_all boolean := named IN ('main', 'ceiling');
  BEGIN
    IF named IS NULL OR named !~ '^[a-z0-9][a-z0-9-]{0,62}$' OR octet_length(given_files) > 16777216
      OR given_files IS NULL OR NOT operator_is_files(given_files) OR called IS NULL OR called !~ '^[A-Za-z0-9:_-]{1,100}$'
      OR (is_for_all AND given_binding IS NOT NULL) OR octet_length(given_binding) > 8192
      OR (NOT is_for_all AND (given_binding IS NULL OR NOT operator_is_binding(given_binding)))
      THEN RETURN 'usage'; END IF;
    PERFORM pg_advisory_xact_lock(1970432005, hashtext(''));
    SELECT coalesce(max(number), 0) INTO head FROM policy_version WHERE policy = named;
    IF seen IS NULL OR head <> seen THEN RETURN 'changed'; END IF;
    IF head = 0 AND (SELECT count(DISTINCT policy) FROM policy_version) >= 100 THEN RETURN 'too_many_policies'; END IF;
    hashed := encode(sha256(convert_to(given_files, 'UTF8')), 'hex');
    is_empty := json_array_length(given_files::json) = 0;
    INSERT INTO policy_content (hash, files) VALUES (hashed, given_files) ON CONFLICT (hash) DO NOTHING;
    INSERT INTO policy_version (policy, number, hash, version, binding, is_withdrawn, published_ms, published_by, note, back_to)
      VALUES (named, head + 1, hashed, called, given_binding, is_empty::int, operator_now_ms(), actor,
        left(words, 1000), again);
    DELETE FROM policy_version WHERE policy = named AND number <= head + 1 - 500;
    DELETE FROM policy_content WHERE NOT EXISTS (SELECT 1 FROM policy_version WHERE policy_version.hash = policy_content.hash);
    PERFORM operator_record('policy_published', NULL, NULL, 'The policy ' || named || '@' || (head + 1) || CASE
        WHEN is_empty THEN ' was withdrawn.' WHEN again IS NULL THEN ' was published.'
        ELSE ' was published: version ' || again || ' again.' END,
      json_build_object('policy', named, 'number', head + 1, 'version', called, 'before', head, 'operator', actor,
        'note', left(words, 1000), 'backTo', again));
    UPDATE change_counter SET value = value + 1;
    RETURN 'published';
  END $$;

  DO $do$
  DECLARE
    one text;
  BEGIN
    FOR one IN SELECT oid::regprocedure::text FROM pg_proc
      WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'operator\\_%' LOOP
      EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', one);
    END LOOP;
    FOREACH one IN ARRAY ARRAY[${functions.map((name) => `'${name}'`).join(', ')}] LOOP
      -- The names in them are those of this schema, whatever the caller has in a path, or in a schema of temporary tables.
      EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', one, current_schema());
      IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '${operatorRole}') THEN
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO ${operatorRole}', one);
      END IF;
      IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'upstreamproxy_gateway') THEN
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO upstreamproxy_gateway', one);
      END IF;
    END LOOP;
  END $do$;
`;
