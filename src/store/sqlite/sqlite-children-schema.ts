// Sessions that others made, in SQLite. As a migration.

/**
 * A trigger, so that whoever ends a session ends those below it: a program of the version before too. Triggers of SQLite do not call
 * themselves, so one call takes the whole tree below. `above` has the ids from the root down to the parent: `/root/parent/`.
 */
export const childrenScript = `
  ALTER TABLE session ADD COLUMN root_id TEXT;
  ALTER TABLE session ADD COLUMN above TEXT;
  CREATE INDEX session_by_root ON session (root_id) WHERE root_id IS NOT NULL;
  CREATE TABLE session_narrowing (
    session_id TEXT PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    policy TEXT NOT NULL
  ) STRICT;
  CREATE TRIGGER session_ended_below AFTER UPDATE OF state ON session
    WHEN NEW.state IN ('ended', 'revoked') AND OLD.state NOT IN ('ended', 'revoked') BEGIN
    UPDATE session SET state = NEW.state, over_ms = NEW.over_ms, reason = 'the session that it was narrowed from is over'
      WHERE root_id = coalesce(NEW.root_id, NEW.id) AND instr(above, '/' || NEW.id || '/') > 0
        AND state IN ('enrolled', 'committed');
    INSERT INTO session_ending (session_id, state, reason)
      SELECT id, state, reason FROM session
      WHERE root_id = coalesce(NEW.root_id, NEW.id) AND instr(above, '/' || NEW.id || '/') > 0 AND over_ms IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM session_ending WHERE session_ending.session_id = session.id)
      ORDER BY id;
  END;
`;
