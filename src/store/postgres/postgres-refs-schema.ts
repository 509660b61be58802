// Grants for refs alone, kept apart from those that programs of the version before know. As a migration.

/** Access that is granted by a login of its own is for no refs, and such a grant replaces one that was. */
export const refsScript = `
  ALTER TABLE access_request ADD COLUMN refs_ends_ms bigint;
  UPDATE access_request SET refs_ends_ms = ends_ms, ends_ms = NULL WHERE refs IS NOT NULL;

  CREATE OR REPLACE FUNCTION operator_grant_access(which text, how_far text, for_whom text, for_ms bigint, words text, person text)
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
      subject = for_whom, ends_ms = until_ms, refs = NULL, refs_ends_ms = NULL WHERE id = which;
    PERFORM operator_record('access_granted', known.session_id, known.principal_id,
      'Access ' || which || ' was granted: ' || known.host || ', scope ' || how_far || ', for the ' || for_whom || '.',
      json_build_object('id', which, 'operator', actor, 'was', known.state, 'note', left(words, 1000), 'endsMs', until_ms));
    UPDATE change_counter SET value = value + 1;
    RETURN 'granted';
  END $$;

  -- Who may call it stays as it was; what is set for it does not.
  DO $do$
  BEGIN
    EXECUTE format('ALTER FUNCTION operator_grant_access(text, text, text, bigint, text, text)
      SET search_path = pg_catalog, %I, pg_temp', current_schema());
  END $do$;
`;
