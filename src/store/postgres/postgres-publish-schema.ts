// What a login of an operator may publish, checked in the database as strictly as by the program. As a migration.

/**
 * The function of before, which took any label and any number to go back to: one that readers cannot read stopped every gateway from reading
 * policies, and the audit told a version that was none.
 */
export const publishChecksScript = `
  CREATE OR REPLACE FUNCTION operator_is_files(given text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
  BEGIN
    RETURN json_typeof(given::json) = 'array' AND json_array_length(given::json) <= 200 AND NOT EXISTS (
      SELECT 1 FROM json_array_elements(given::json) AS one
      WHERE json_typeof(one) <> 'array' OR json_array_length(one) <> 2
        OR json_typeof(one -> 0) <> 'string' OR json_typeof(one -> 1) <> 'string'
        OR (one ->> 0) !~ '^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$')
      AND (SELECT count(*) = count(DISTINCT one ->> 0) FROM json_array_elements(given::json) AS one);
  EXCEPTION WHEN data_exception THEN
    RETURN false;
  END $$;
  -- A number that is none where it is read, such as 1e999, binds nobody.
  CREATE OR REPLACE FUNCTION operator_is_binding(given text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
  BEGIN
    RETURN json_typeof(given::json) = 'object' AND (SELECT count(*) BETWEEN 1 AND 20 AND count(*) = count(DISTINCT key)
        AND bool_and(CASE json_typeof(value) WHEN 'number' THEN abs((value::text)::numeric) < 1e308
          WHEN 'string' THEN true WHEN 'boolean' THEN true ELSE false END) FROM json_each(given::json));
  EXCEPTION WHEN data_exception THEN
    RETURN false;
  END $$;
  -- As versionOf of the program: the texts as they stand in the JSON.
  CREATE FUNCTION operator_version_of(given text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT left(encode(sha256(convert_to(
      '[[' || coalesce(string_agg((one -> 1)::text, ',' ORDER BY place), '') || '],[]]', 'UTF8')), 'hex'), 12)
    FROM json_array_elements(given::json) WITH ORDINALITY AS list (one, place)
  $$;

  ALTER FUNCTION operator_publish_policy(text, text, text, text, bigint, text, bigint, text) RENAME TO operator_store_policy;
  CREATE FUNCTION operator_publish_policy(named text, given_files text, called text, given_binding text, seen bigint,
    words text, again bigint, person text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
  BEGIN
    PERFORM operator_name(person);
    IF given_files IS NULL OR octet_length(given_files) > 16777216 OR NOT operator_is_files(given_files)
      OR called IS DISTINCT FROM operator_version_of(given_files)
      OR (again IS NOT NULL AND NOT EXISTS (SELECT 1 FROM policy_version WHERE policy = named AND number = again
        AND hash = encode(sha256(convert_to(given_files, 'UTF8')), 'hex'))) THEN RETURN 'usage'; END IF;
    RETURN operator_store_policy(named, given_files, called, given_binding, seen, words, again, person);
  END $$;

  DO $do$
  DECLARE
    one text;
  BEGIN
    REVOKE ALL ON FUNCTION operator_version_of(text) FROM PUBLIC;
    REVOKE ALL ON FUNCTION operator_publish_policy(text, text, text, text, bigint, text, bigint, text) FROM PUBLIC;
    EXECUTE format('ALTER FUNCTION operator_publish_policy(text, text, text, text, bigint, text, bigint, text)
      SET search_path = pg_catalog, %I, pg_temp', current_schema());
    FOREACH one IN ARRAY ARRAY['upstreamproxy_operator', 'upstreamproxy_gateway'] LOOP
      IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = one) THEN
        EXECUTE format('REVOKE ALL ON FUNCTION operator_store_policy(text, text, text, text, bigint, text, bigint, text) FROM %I', one);
        EXECUTE format('GRANT EXECUTE ON FUNCTION operator_publish_policy(text, text, text, text, bigint, text, bigint, text) TO %I', one);
      END IF;
    END LOOP;
  END $do$;
`;
