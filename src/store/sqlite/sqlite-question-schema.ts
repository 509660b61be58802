// Questions of rules in SQLite, as migrations.

/** `content` is what people are told, as JSON, `shown` the beginning of a body, until somebody has answered. `sees` of an approver is empty for one who sees all sessions. */
export const questionScript = `
  CREATE TABLE question (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    principal_id TEXT NOT NULL,
    once_key TEXT NOT NULL,
    wide_key TEXT NOT NULL,
    content TEXT NOT NULL,
    shown TEXT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'allowed', 'denied', 'used', 'ended')),
    answer TEXT,
    created_ms INTEGER NOT NULL,
    held_until_ms INTEGER NOT NULL,
    pending_until_ms INTEGER NOT NULL,
    decided_ms INTEGER,
    decided_by TEXT,
    ends_ms INTEGER,
    note TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX question_by_session ON question (session_id, state);
  CREATE INDEX question_by_time ON question (created_ms, id);
  CREATE TABLE approver_seen (
    name TEXT NOT NULL,
    sees TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (name, sees)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * In whose name a question counts; absent where a program of the version before asked. A trigger, so that no question waits for a session
 * that is over, whoever ended it: those below it too, for what ends them is another trigger.
 */
export const questionRootScript = `
  ALTER TABLE question ADD COLUMN root_id TEXT;
  UPDATE question
    SET root_id = coalesce((SELECT session.root_id FROM session WHERE session.id = question.session_id), session_id);
  CREATE INDEX question_by_root ON question (coalesce(root_id, session_id), state);
  CREATE TRIGGER question_over_with_session AFTER UPDATE OF state ON session
    WHEN NEW.state IN ('ended', 'revoked') AND OLD.state NOT IN ('ended', 'revoked') BEGIN
    UPDATE question SET state = 'ended', shown = NULL WHERE session_id = NEW.id AND state = 'pending';
  END;
`;
