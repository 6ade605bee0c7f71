-- What the roles of the database may do: run by `roles`, as the owner, in one transaction, at every start. The names are
-- variables; a role is skipped where its name is empty, and the application's where it is the owner's own.
--   app      rows of the two tables that the API works with, and the functions of its queries: no table can be changed
--            where :schema is own, instead of that a schema of its own name, in which it makes what it likes
--   backup   reads everything (pg_read_all_data)
--   monitor  reads the server's figures (pg_monitor), no table
-- Limits a session may change for itself; they end what was forgotten, not what is malicious. The listening connection
-- of the API idles for good, so that its role has no idle_session_timeout. PostgreSQL lets every role change its own
-- password and settings, in which nobody can hinder it: here they are put right again. Sessions keep the settings that
-- they began with, so those of a role whose settings were others have to end: lines that begin with SELECT, which
-- `roles` runs after the COMMIT.
SET LOCAL client_min_messages = warning;
SET LOCAL log_statement = 'none';
SET LOCAL log_min_duration_statement = -1;
SET LOCAL log_min_error_statement = panic;
SELECT pg_advisory_xact_lock(hashtext('stackwright roles')) \g /dev/null

CREATE TEMPORARY TABLE wanted ON COMMIT DROP AS
SELECT *
FROM (
    VALUES
    (:'app', NULL, -1, '{statement_timeout=30s,lock_timeout=10s,idle_in_transaction_session_timeout=10s}'::text[]),
    (:'backup', 'pg_read_all_data', 4, '{lock_timeout=60s,idle_session_timeout=10min}'),
    (
        :'monitor', 'pg_monitor', 4,
        '{statement_timeout=10s,lock_timeout=5s,idle_in_transaction_session_timeout=10s,idle_session_timeout=10min}'
    )
) AS roles (name, member_of, connections, settings)
WHERE name NOT IN ('', current_user);

CREATE TEMPORARY TABLE limits ON COMMIT DROP AS
SELECT name, settings FROM wanted
UNION ALL
SELECT current_user, '{idle_in_transaction_session_timeout=10min}';
SELECT format('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %L AND pid <> pg_backend_pid()', name)
FROM limits
JOIN pg_roles ON rolname = name
WHERE (SELECT array_agg(setting ORDER BY setting) FROM unnest(settings) AS setting) IS DISTINCT FROM (
    SELECT array_agg(setting ORDER BY setting)
    FROM pg_db_role_setting, unnest(setconfig) AS setting
    WHERE setrole = pg_roles.oid
);

-- The roles, and nothing that somebody gave them beyond this.
SELECT format('CREATE ROLE %I', name)
FROM wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
SELECT format(
    'ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT %s',
    name, connections)
FROM wanted \gexec
SELECT format('COMMENT ON ROLE %I IS %L', name, 'made by stackwright') FROM wanted \gexec
SELECT format('REVOKE %s FROM %s GRANTED BY %s', roleid::regrole, member::regrole, grantor::regrole)
FROM pg_auth_members
JOIN wanted ON member::regrole::text = quote_ident(name)
WHERE roleid::regrole::text IS DISTINCT FROM member_of \gexec
SELECT format('GRANT %I TO %I', member_of, name) FROM wanted WHERE member_of IS NOT NULL \gexec
SELECT format('ALTER ROLE %I RESET ALL', name) FROM limits \gexec
SELECT format('ALTER ROLE %I IN DATABASE %I RESET ALL', name, datname)
FROM limits
JOIN pg_db_role_setting ON setrole = quote_ident(name)::regrole
JOIN pg_database ON pg_database.oid = setdatabase \gexec
SELECT format('ALTER ROLE %I SET %I = %L', name, split_part(setting, '=', 1), split_part(setting, '=', 2))
FROM limits, unnest(settings) AS setting \gexec

-- A role that was named otherwise before has no login any more.
SELECT format('ALTER ROLE %I NOLOGIN PASSWORD NULL', rolname)
FROM pg_roles
WHERE shobj_description(oid, 'pg_authid') = 'made by stackwright'
AND rolname NOT IN (SELECT name FROM wanted) \gexec

-- What everybody may do by default, only these may.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', datname)
FROM pg_database
WHERE datname IN (current_database(), 'postgres', 'template1') \gexec
-- Large objects and messages in the WAL, which need no table to fill the disk, and locks that would hold up `migrate`.
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', oid::regprocedure)
FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace
AND proname ~ '^(lo_.*|loread|lowrite|pg_logical_emit_message|pg_(try_)?advisory_.*)$'
AND has_function_privilege('public', oid, 'EXECUTE') \gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name) FROM wanted \gexec
SELECT format('GRANT USAGE ON SCHEMA public TO %I', name) FROM wanted \gexec
SELECT format('REVOKE ALL ON ALL %s IN SCHEMA public FROM %I', kind, name)
FROM wanted, unnest('{TABLES,SEQUENCES,FUNCTIONS}'::text[]) AS kind \gexec
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON tasks, idempotency_keys TO %I', name)
FROM wanted
WHERE name = :'app' AND :'schema' <> 'own' \gexec
-- Found first by the default search_path, "$user", public.
SELECT format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', name, name)
FROM wanted
WHERE name = :'app' AND :'schema' = 'own' \gexec
SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', pg_proc.oid::regprocedure, name)
FROM wanted, pg_proc
WHERE (name = :'backup' OR name = :'app' AND :'schema' <> 'own')
AND pronamespace = 'public'::regnamespace AND proname LIKE 'tasks\_%' \gexec
