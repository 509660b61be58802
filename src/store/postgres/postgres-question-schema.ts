// Questions of rules in PostgreSQL, as migrations.

/** `content` is what people are told, as JSON, `shown` the beginning of a body, until somebody has answered. `sees` of an approver is empty for one who sees all sessions. */
export const questionScript = `
  CREATE TABLE question (
    id text COLLATE "C" PRIMARY KEY,
    session_id text NOT NULL,
    principal_id text NOT NULL,
    once_key text NOT NULL,
    wide_key text NOT NULL,
    content text NOT NULL,
    shown text,
    state text NOT NULL CHECK (state IN ('pending', 'allowed', 'denied', 'used', 'ended')),
    answer text,
    created_ms bigint NOT NULL,
    held_until_ms bigint NOT NULL,
    pending_until_ms bigint NOT NULL,
    decided_ms bigint,
    decided_by text,
    ends_ms bigint,
    note text
  );
  CREATE INDEX question_by_session ON question (session_id, state);
  CREATE INDEX question_by_time ON question (created_ms, id);
  CREATE TABLE approver_seen (
    name text COLLATE "C" NOT NULL,
    sees text COLLATE "C" NOT NULL,
    until_ms bigint NOT NULL,
    PRIMARY KEY (name, sees)
  );
`;

/**
 * In whose name a question counts; absent where a program of the version before asked. A trigger, so that no question waits for a session
 * that is over, whoever ended it: a login of its own too. Its name comes before that of the trigger that ends sessions below, which takes
 * the counter; and what somebody answers or joins at this moment is left to them: so it waits for nobody.
 */
export const questionRootScript = `
  ALTER TABLE question ADD COLUMN root_id text;
  UPDATE question
    SET root_id = coalesce((SELECT session.root_id FROM session WHERE session.id = question.session_id), session_id);
  CREATE INDEX question_by_root ON question ((coalesce(root_id, session_id)), state);

  CREATE FUNCTION question_over_with_session() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    over text[];
  BEGIN
    SELECT array_agg(id) INTO over FROM changed WHERE state IN ('ended', 'revoked');
    IF over IS NULL THEN RETURN NULL; END IF;
    UPDATE question SET state = 'ended', shown = NULL
      WHERE id IN (SELECT id FROM question WHERE session_id = ANY (over) AND state = 'pending' FOR UPDATE SKIP LOCKED);
    RETURN NULL;
  END $$;
  CREATE TRIGGER question_over_with_session AFTER UPDATE ON session REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION question_over_with_session();

  DO $do$
  BEGIN
    EXECUTE format('ALTER FUNCTION question_over_with_session() SET search_path = pg_catalog, %I, pg_temp', current_schema());
  END $do$;
`;
