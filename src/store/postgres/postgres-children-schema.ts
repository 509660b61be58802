// Sessions that others made, in PostgreSQL. As a migration.

/**
 * A trigger, so that whoever ends a session ends those below it: a login of its own and a program of the version before too. Rows are
 * locked from the root down, and the counter behind all of them: so no two that end sessions of one tree wait for each other. What was
 * made below a session while it was waited for is found at the next look.
 */
export const childrenScript = `
  ALTER TABLE session ADD COLUMN root_id text COLLATE "C";
  ALTER TABLE session ADD COLUMN above text COLLATE "C";
  CREATE INDEX session_by_root ON session (root_id) WHERE root_id IS NOT NULL;
  CREATE TABLE session_narrowing (
    session_id text COLLATE "C" PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    policy text NOT NULL
  );

  CREATE FUNCTION session_ended_below() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    over session%ROWTYPE;
    level text[];
    ended text[] := '{}';
  BEGIN
    IF pg_trigger_depth() > 1 THEN RETURN NULL; END IF;
    FOR over IN SELECT * FROM changed WHERE state IN ('ended', 'revoked') ORDER BY id LOOP
      level := ARRAY[over.id];
      WHILE level <> '{}' LOOP
        WITH gone AS (UPDATE session SET state = over.state, over_ms = over.over_ms,
            reason = 'the session that it was narrowed from is over'
          WHERE root_id = coalesce(over.root_id, over.id) AND state IN ('enrolled', 'committed')
            AND split_part(above, '/', -2) = ANY (level) RETURNING id)
        SELECT coalesce(array_agg(id ORDER BY id), '{}') INTO level FROM gone;
        ended := ended || level;
      END LOOP;
    END LOOP;
    IF ended = '{}' THEN RETURN NULL; END IF;
    WITH counted AS (UPDATE change_counter SET value = value + cardinality(ended) RETURNING value)
      INSERT INTO session_ending (sequence, session_id, state, reason)
      SELECT counted.value - cardinality(ended) + gone.place, session.id, session.state, session.reason
      FROM counted, unnest(ended) WITH ORDINALITY AS gone (id, place) JOIN session ON session.id = gone.id;
    RETURN NULL;
  END $$;
  CREATE TRIGGER session_ended_below AFTER UPDATE ON session REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION session_ended_below();

  DO $do$
  BEGIN
    EXECUTE format('ALTER FUNCTION session_ended_below() SET search_path = pg_catalog, %I, pg_temp', current_schema());
  END $do$;
`;
