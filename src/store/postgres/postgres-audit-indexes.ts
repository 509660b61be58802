// What the audit is found by beside session, verdict and kind, as a migration of the PostgreSQL store.

/** Programs of the version before say nothing of these columns: a trigger fills them in from the event. */
export const auditIndexesScript = `
  ALTER TABLE audit ADD COLUMN host text COLLATE "C", ADD COLUMN principal text COLLATE "C", ADD COLUMN trace text COLLATE "C";
  -- An event with what no text of PostgreSQL can hold (a NUL) says nothing.
  CREATE FUNCTION audit_field(event text, field text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
  BEGIN
    RETURN event::json ->> field;
  EXCEPTION WHEN data_exception THEN
    RETURN NULL;
  END $$;
  UPDATE audit SET host = audit_field(event, 'host'), principal = audit_field(event, 'principal'),
    trace = coalesce(audit_field(event, 'traceId'), '');
  CREATE FUNCTION find_stored_audit() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    NEW.host := audit_field(NEW.event, 'host');
    NEW.principal := audit_field(NEW.event, 'principal');
    NEW.trace := coalesce(audit_field(NEW.event, 'traceId'), '');
    RETURN NEW;
  END $$;
  CREATE TRIGGER audit_found BEFORE INSERT ON audit FOR EACH ROW WHEN (NEW.trace IS NULL)
    EXECUTE FUNCTION find_stored_audit();
  CREATE INDEX audit_by_host ON audit (host, sequence) WHERE host IS NOT NULL;
  CREATE INDEX audit_refused_by_host ON audit (host, sequence) WHERE verdict <> 'allow';
  CREATE INDEX audit_by_principal ON audit (principal, sequence) WHERE principal IS NOT NULL;
  CREATE INDEX audit_by_trace ON audit (trace);
  CREATE INDEX audit_in_time ON audit (time_ms, sequence);
  DROP INDEX audit_by_time;
  -- No event up to that sequence is of a later time: what is asked for since a time begins behind one.
  CREATE TABLE audit_mark (
    sequence bigint PRIMARY KEY,
    high_ms bigint NOT NULL
  );
  CREATE INDEX audit_mark_by_time ON audit_mark (high_ms);
  CREATE FUNCTION mark_stored_audit() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO audit_mark (sequence, high_ms)
      SELECT (SELECT max(sequence) FROM audit), high.ms FROM (SELECT max(time_ms) AS ms FROM audit) AS high
      WHERE high.ms NOT BETWEEN coalesce((SELECT high_ms FROM audit_mark ORDER BY sequence DESC LIMIT 1), -1000000000000000)
        AND coalesce((SELECT high_ms FROM audit_mark ORDER BY sequence DESC LIMIT 1), -1000000000000000) + 10000
    ON CONFLICT (sequence) DO NOTHING;
    RETURN NULL;
  END $$;
  CREATE TRIGGER audit_marked AFTER INSERT ON audit FOR EACH STATEMENT EXECUTE FUNCTION mark_stored_audit();
`;
