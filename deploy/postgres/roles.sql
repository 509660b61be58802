-- The roles of a store on PostgreSQL 15 or newer. Run it as a superuser in the database of the gateways, before the first gateway starts or later;
-- running it again is harmless. It sets no password: ALTER ROLE upstreamproxy_gateway PASSWORD '…' and so on, where the server asks for one.
--
--   upstreamproxy           owns the schema; starts a gateway once after each upgrade, and copies or restores a store
--   upstreamproxy_gateway   gateways: data, no schema
--   upstreamproxy_reader    may read: session list, audit tail, policy history …
--   upstreamproxy_operator  may also do, in the name of whoever logged in: session revoke, access grant|deny|revoke, policy publish|rollback
--
-- Each operator has a login of their own, a member of one of the last two:
--   CREATE ROLE ada LOGIN IN ROLE upstreamproxy_operator;

DO $$
DECLARE
  one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['upstreamproxy', 'upstreamproxy_gateway'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = one) THEN EXECUTE format('CREATE ROLE %I LOGIN', one); END IF;
  END LOOP;
  FOREACH one IN ARRAY ARRAY['upstreamproxy_reader', 'upstreamproxy_operator'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = one) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', one); END IF;
  END LOOP;
END $$;

GRANT upstreamproxy_reader TO upstreamproxy_operator;
-- Nobody else makes anything in the schema, so no name in it is another than the owner's.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO upstreamproxy;
GRANT USAGE ON SCHEMA public TO upstreamproxy_gateway, upstreamproxy_reader;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO upstreamproxy_gateway;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO upstreamproxy_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE upstreamproxy GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO upstreamproxy_gateway;
ALTER DEFAULT PRIVILEGES FOR ROLE upstreamproxy GRANT SELECT ON TABLES TO upstreamproxy_reader;
GRANT SELECT, USAGE ON ALL SEQUENCES IN SCHEMA public TO upstreamproxy_gateway;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO upstreamproxy_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE upstreamproxy GRANT SELECT, USAGE ON SEQUENCES TO upstreamproxy_gateway;
ALTER DEFAULT PRIVILEGES FOR ROLE upstreamproxy GRANT SELECT ON SEQUENCES TO upstreamproxy_reader;

-- As gateways ask for at their start, which a pooler does not pass on.
ALTER ROLE upstreamproxy_gateway SET statement_timeout = '5s';
ALTER ROLE upstreamproxy_gateway SET lock_timeout = '5s';
ALTER ROLE upstreamproxy_gateway SET idle_in_transaction_session_timeout = '3s';

-- Whoever else logs in here and leaves a transaction open, or waits for a lock in one, stops the writes of all. Against an oversight: a session can set
-- it otherwise. Programs of the gateway ask for their own deadlines.
DO $$
BEGIN
  EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = %L', current_database(), '5s');
  EXECUTE format('ALTER DATABASE %I SET lock_timeout = %L', current_database(), '5s');
END $$;

-- A gateway that starts first makes the functions; if the roles were there, it has granted them already.
DO $$
DECLARE
  one regprocedure;
BEGIN
  FOR one IN SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef AND proname IN
    ('operator_revoke_session', 'operator_grant_access', 'operator_close_access', 'operator_publish_policy') LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO upstreamproxy_operator, upstreamproxy_gateway', one);
  END LOOP;
  -- Tables of the audit, one for each day: a gateway makes them and drops them by these alone.
  FOR one IN SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef AND proname IN
    ('audit_places', 'audit_make_days', 'audit_drop_day', 'audit_pass_day') LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO upstreamproxy_gateway', one);
  END LOOP;
  IF to_regclass('public.audit_day') IS NOT NULL THEN
    REVOKE INSERT, UPDATE, DELETE ON public.audit_day FROM upstreamproxy_gateway;
  END IF;
END $$;
