// The audit in parts by the day on which an event was stored, as migrations of the PostgreSQL store: first what programs of before can go on
// beside, then the table itself. A part is a range of places: day × 2³⁶ and on; day 0 has what was stored before there were any.

import { partsAtOnce } from '../audit-engine.ts';

/** Places of one day. Whole numbers stay exact until the year 2328. */
export const placesOfDay = 2 ** 36;
export const dayMs = 86_400_000;
/** For how many days there are parts beforehand: a week in which nobody makes any harms nothing. */
export const daysAhead = 7;
/** A statement that may look into a part locks it, and each of its indexes. */
export const locksOfPart = 12;
/** By which two gateways do not make the same day at once; its class is that of postgres-lock.ts. */
const makingLock = '1970432006, 1';

const functions = [
  'audit_places()',
  'audit_make_day(bigint)',
  'audit_make_days()',
  'audit_drop_day(bigint)',
  'audit_begin_day()',
  'audit_pass_day()',
];

/** A name in a function is one of this schema, whatever its caller has in a path, or in a schema of temporary tables. */
export const ownPath = (names: readonly string[]): string => `
  DO $do$
  DECLARE
    one text;
  BEGIN
    FOREACH one IN ARRAY ARRAY[${names.map((name) => `'${name}'`).join(', ')}] LOOP
      EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', one);
      EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', one, current_schema());
    END LOOP;
  END $do$;`;

/** Whoever has one right to the audit gets another one; roles are called as each installation likes. */
export const alsoGrant = (right: string, grants: readonly string[]): string => `
  DO $do$
  DECLARE
    who text;
  BEGIN
    FOR who IN SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
      FROM pg_class, aclexplode(relacl) WHERE oid = 'audit'::regclass AND privilege_type = '${right}' AND grantee <> relowner LOOP
      ${grants.map((grant) => `EXECUTE 'GRANT ${grant} TO ' || who;`).join('\n      ')}
    END LOOP;
  END $do$;`;

/** What a step makes is of the owner of the audit that was there, whoever migrates. */
export const ownedAs = (names: readonly string[], tables: readonly string[], audit = 'audit'): string => `
  DO $do$
  DECLARE
    owner text := (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = '${audit}'::regclass);
    one text;
  BEGIN
    IF owner = quote_ident(current_user) THEN RETURN; END IF;
    FOREACH one IN ARRAY ARRAY[${names.map((name) => `'${name}'`).join(', ')}] LOOP
      EXECUTE format('ALTER FUNCTION %s OWNER TO %s', one, owner);
    END LOOP;
    FOREACH one IN ARRAY ARRAY[${tables.map((name) => `'${name}'`).join(', ')}] LOOP
      EXECUTE format('ALTER TABLE %s OWNER TO %s', one, owner);
    END LOOP;
  END $do$;`;

/** Programs of the version before store and search as ever. */
export const auditDaysBegunScript = `
  SET LOCAL lock_timeout = '2s';
  -- What the last program of a gateway knows: what they would not understand waits until they are gone.
  ALTER TABLE gateway ADD COLUMN schema_known bigint;
  CREATE TABLE audit_day (
    day bigint PRIMARY KEY,
    made_ms bigint NOT NULL
  );
  -- Which days there are, functions of the owner say alone.
  DO $do$
  DECLARE
    who text;
  BEGIN
    FOR who IN SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
      FROM pg_class, aclexplode(relacl) WHERE oid = 'audit_day'::regclass AND grantee <> relowner LOOP
      EXECUTE 'REVOKE INSERT, UPDATE, DELETE ON audit_day FROM ' || who;
    END LOOP;
  END $do$;
  -- Validated by the next step, beside all who read and write.
  ALTER TABLE audit ADD CONSTRAINT audit_before_days CHECK (sequence < ${placesOfDay}) NOT VALID;

  -- Where those of the last two days begin and end, among which an event that comes twice may be.
  CREATE FUNCTION audit_places(OUT recent_from bigint, OUT recent_to bigint) LANGUAGE sql STABLE SECURITY DEFINER
    AS $$ SELECT 0::bigint, 0::bigint $$;
  ${ownPath(['audit_places()'])}
  ${alsoGrant('INSERT', ['EXECUTE ON FUNCTION audit_places()'])}

  -- Looks at what is stored now, whose last place is the last of all: the sums are locked. At all of the audit it looks where that is of an earlier time,
  -- and among many parts only after a clock that had been ahead: each costs a lock, and so do its indexes. Without a mark nothing is missed.
  CREATE OR REPLACE FUNCTION mark_stored_audit() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    top bigint;
    high bigint;
    known bigint;
    parts bigint;
  BEGIN
    SELECT max(sequence), max(time_ms) INTO top, high FROM stored;
    IF top IS NULL THEN RETURN NULL; END IF;
    SELECT high_ms INTO known FROM audit_mark ORDER BY sequence DESC LIMIT 1;
    IF high < known THEN
      IF high >= known - 10000 THEN RETURN NULL; END IF;
      SELECT count(*) INTO parts FROM audit_day;
      IF parts > ${6 * partsAtOnce} OR (parts > ${partsAtOnce} AND known <= extract(epoch FROM clock_timestamp()) * 1000 + 10000) THEN
        RETURN NULL;
      END IF;
      SELECT max(time_ms) INTO high FROM audit;
    END IF;
    IF known IS NULL OR high NOT BETWEEN known AND known + 10000 THEN
      INSERT INTO audit_mark (sequence, high_ms) VALUES (top, high) ON CONFLICT (sequence) DO NOTHING;
    END IF;
    RETURN NULL;
  END $$;
  DROP TRIGGER audit_marked ON audit;
  CREATE TRIGGER audit_marked AFTER INSERT ON audit REFERENCING NEW TABLE AS stored
    FOR EACH STATEMENT EXECUTE FUNCTION mark_stored_audit();

  -- What a day that goes had of whom: made before anybody has to wait for it.
  CREATE TABLE audit_day_holding (
    day bigint NOT NULL,
    holder text COLLATE "C" NOT NULL,
    events bigint NOT NULL,
    bytes bigint NOT NULL,
    later_events bigint NOT NULL,
    later_bytes bigint NOT NULL,
    PRIMARY KEY (day, holder)
  );
  ${alsoGrant('SELECT', ['SELECT ON audit_day, audit_day_holding'])}
  ${alsoGrant('INSERT', ['INSERT, UPDATE, DELETE ON audit_day_holding'])}
  ${ownedAs(['audit_places()'], ['audit_day', 'audit_day_holding'])}
`;

/** Reads the audit once; whoever reads or writes goes on beside it. */
export const auditDaysCheckedScript = 'ALTER TABLE audit VALIDATE CONSTRAINT audit_before_days;';

/** Nothing is written anew: what there is becomes the first part, with its indexes. */
export const auditInDaysScript = `
  SET LOCAL lock_timeout = '2s';
  LOCK TABLE audit IN ACCESS EXCLUSIVE MODE;
  DROP TRIGGER audit_stored ON audit;
  DROP TRIGGER audit_removed ON audit;
  DROP TRIGGER audit_marked ON audit;
  DROP TRIGGER audit_found ON audit;

  CREATE SEQUENCE audit_place AS bigint;
  DO $do$
  DECLARE
    known record;
  BEGIN
    EXECUTE format('SELECT last_value, is_called FROM %s', pg_get_serial_sequence('audit', 'sequence')) INTO known;
    PERFORM setval('audit_place', known.last_value, known.is_called);
  END $do$;
  ALTER TABLE audit ALTER sequence DROP IDENTITY;
  ALTER TABLE audit RENAME TO audit_before_days;
  DO $do$
  DECLARE
    one text;
  BEGIN
    FOR one IN SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
      WHERE indrelid = 'audit_before_days'::regclass LOOP
      EXECUTE format('ALTER INDEX %I RENAME TO %I', one, one || '_before_days');
    END LOOP;
  END $do$;

  CREATE TABLE audit (LIKE audit_before_days) PARTITION BY RANGE (sequence);
  ALTER TABLE audit ALTER sequence SET DEFAULT nextval('audit_place');
  ALTER SEQUENCE audit_place OWNED BY audit.sequence;
  ALTER TABLE audit ADD CONSTRAINT audit_pkey PRIMARY KEY (sequence);
  CREATE INDEX audit_by_session ON audit (session_id, sequence) WHERE session_id IS NOT NULL;
  CREATE INDEX audit_of_no_session ON audit (verdict, sequence) WHERE session_id IS NULL;
  CREATE INDEX audit_not_allowed ON audit (verdict, sequence) WHERE verdict <> 'allow';
  CREATE INDEX audit_no_exchange ON audit (kind, sequence) WHERE kind <> 'exchange';
  CREATE INDEX audit_by_host ON audit (host, sequence) WHERE host IS NOT NULL;
  CREATE INDEX audit_refused_by_host ON audit (host, sequence) WHERE verdict <> 'allow';
  CREATE INDEX audit_by_principal ON audit (principal, sequence) WHERE principal IS NOT NULL;
  CREATE INDEX audit_by_trace ON audit (trace);
  CREATE INDEX audit_in_time ON audit (time_ms, sequence);
  ALTER TABLE audit ATTACH PARTITION audit_before_days FOR VALUES FROM (MINVALUE) TO (${placesOfDay});
  ALTER TABLE audit_before_days DROP CONSTRAINT audit_before_days;
  INSERT INTO audit_day (day, made_ms) VALUES (0, 0);

  CREATE TRIGGER audit_stored AFTER INSERT ON audit REFERENCING NEW TABLE AS stored
    FOR EACH STATEMENT EXECUTE FUNCTION count_stored_audit();
  CREATE TRIGGER audit_removed AFTER DELETE ON audit REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION count_removed_audit();
  CREATE TRIGGER audit_marked AFTER INSERT ON audit REFERENCING NEW TABLE AS stored
    FOR EACH STATEMENT EXECUTE FUNCTION mark_stored_audit();
  CREATE TRIGGER audit_found BEFORE INSERT ON audit FOR EACH ROW WHEN (NEW.trace IS NULL)
    EXECUTE FUNCTION find_stored_audit();

  -- With the day that may begin before the events are stored.
  CREATE OR REPLACE FUNCTION audit_places(OUT recent_from bigint, OUT recent_to bigint) LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
  DECLARE
    day_now bigint := floor(extract(epoch FROM clock_timestamp()) / 86400);
  BEGIN
    SELECT greatest(day_now, last_value / ${placesOfDay}) INTO day_now FROM audit_place;
    SELECT max(day) INTO recent_from FROM audit_day WHERE day < (SELECT max(day) FROM audit_day WHERE day <= day_now);
    recent_from := coalesce(recent_from, 0) * ${placesOfDay};
    recent_to := (day_now + 2) * ${placesOfDay};
  END $$;

  -- The sums are locked by who stores. Without a part for today the one before goes on: no event waits for a table.
  CREATE FUNCTION audit_begin_day() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    reached bigint;
    begun bigint;
  BEGIN
    SELECT last_value / ${placesOfDay} INTO reached FROM audit_place;
    SELECT max(day) INTO begun FROM audit_day WHERE day <= floor(extract(epoch FROM clock_timestamp()) / 86400);
    IF begun > reached THEN PERFORM setval('audit_place', begun * ${placesOfDay}); END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER audit_day_begun BEFORE INSERT ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_begin_day();

  -- Attached, not made as a part: that would wait for all who read, and they for it.
  CREATE FUNCTION audit_make_day(which bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    suffix text := CASE which WHEN 0 THEN 'before_days'
      ELSE to_char(to_timestamp(which * 86400) AT TIME ZONE 'UTC', 'YYYY_MM_DD') END;
    part text := 'audit_' || suffix;
    place text := (SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
      WHERE pg_class.oid = 'audit'::regclass);
    one record;
  BEGIN
    IF which NOT BETWEEN 0 AND 130000 OR EXISTS (SELECT 1 FROM audit_day WHERE day = which) THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE %s.%I (LIKE audit INCLUDING DEFAULTS)', place, part);
    EXECUTE format('CREATE UNIQUE INDEX %I ON %I (id)', 'audit_id_key_' || suffix, part);
    EXECUTE format('ALTER TABLE audit ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part,
      CASE which WHEN 0 THEN 'MINVALUE' ELSE (which * ${placesOfDay})::text END, (which + 1) * ${placesOfDay});
    FOR one IN SELECT own.relname AS own, whole.relname AS whole FROM pg_index
        JOIN pg_class AS own ON own.oid = indexrelid JOIN pg_inherits ON inhrelid = indexrelid
        JOIN pg_class AS whole ON whole.oid = inhparent WHERE indrelid = part::regclass LOOP
      EXECUTE format('ALTER INDEX %I RENAME TO %I', one.own, one.whole || '_' || suffix);
    END LOOP;
    INSERT INTO audit_day (day, made_ms) VALUES (which, (extract(epoch FROM clock_timestamp()) * 1000)::bigint);
  END $$;

  -- Gives up to which day there are parts, and which one it is; another one that makes some is not waited for.
  CREATE FUNCTION audit_make_days(OUT through bigint, OUT today bigint) LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    first bigint;
  BEGIN
    SELECT floor(extract(epoch FROM clock_timestamp()) / 86400) INTO today;
    SELECT greatest(today, last_value / ${placesOfDay}) INTO first FROM audit_place;
    SELECT max(day) INTO through FROM audit_day;
    IF through >= first + ${daysAhead} OR NOT pg_try_advisory_xact_lock(${makingLock}) THEN RETURN; END IF;
    FOR one IN first .. first + ${daysAhead} LOOP
      PERFORM audit_make_day(one);
    END LOOP;
    SELECT max(day) INTO through FROM audit_day;
  END $$;

  -- Where nobody stores anything, the last day with events is over all the same.
  CREATE FUNCTION audit_pass_day() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    reached bigint;
    begun bigint;
  BEGIN
    PERFORM 1 FROM audit_total FOR UPDATE;
    SELECT last_value / ${placesOfDay} INTO reached FROM audit_place;
    SELECT max(day) INTO begun FROM audit_day WHERE day <= floor(extract(epoch FROM clock_timestamp()) / 86400);
    IF begun > reached THEN PERFORM setval('audit_place', begun * ${placesOfDay}); END IF;
  END $$;

  -- Only a day that is over: behind it another one was begun.
  CREATE FUNCTION audit_drop_day(which bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    reached bigint;
    part text := 'audit_' || CASE which WHEN 0 THEN 'before_days'
      ELSE to_char(to_timestamp(which * 86400) AT TIME ZONE 'UTC', 'YYYY_MM_DD') END;
  BEGIN
    SELECT last_value / ${placesOfDay} INTO reached FROM audit_place;
    IF which IS NULL OR which >= reached THEN
      RAISE EXCEPTION 'events of that day of the audit may still come' USING ERRCODE = '22023';
    END IF;
    DELETE FROM audit_day WHERE day = which;
    IF NOT FOUND THEN RETURN; END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = 'audit'::regclass AND inhrelid = to_regclass(quote_ident(part))) THEN
      RAISE EXCEPTION '% is no part of the audit', part USING ERRCODE = '22023';
    END IF;
    EXECUTE format('DROP TABLE %I', part);
  END $$;

  ${ownPath(functions)}
  -- As they were granted for the table of before.
  DO $do$
  DECLARE
    one record;
  BEGIN
    FOR one IN SELECT privilege_type AS what, is_grantable AS further,
        CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS who
      FROM pg_class, aclexplode(relacl) WHERE oid = 'audit_before_days'::regclass AND grantee <> relowner LOOP
      EXECUTE format('GRANT %s ON audit TO %s', one.what, one.who) || CASE WHEN one.further THEN ' WITH GRANT OPTION' ELSE '' END;
    END LOOP;
  END $do$;
  ${alsoGrant('SELECT', ['SELECT ON SEQUENCE audit_place'])}
  ${alsoGrant('INSERT', ['USAGE ON SEQUENCE audit_place', 'EXECUTE ON FUNCTION audit_places(), audit_make_days()'])}
  ${alsoGrant('DELETE', ['EXECUTE ON FUNCTION audit_drop_day(bigint), audit_pass_day()'])}
  -- Functions do what the owner of the audit may, whoever migrates.
  ${ownedAs(functions, ['audit', 'audit_day', 'audit_day_holding'], 'audit_before_days')}
  SELECT audit_make_days();
`;
