-- One size of everything: the same shares of each kind among %(rows)s rows of each table that grows, and %(events)s
-- events, from the first of so many months until now. What is rare is as rare in both sizes. User 1, the first by UPN, has a tenth of all
-- sessions and events; row 2 of each searched table bears the word "zzyzx".

-- Without FROM: such functions the planner puts into the query, and calls none.
CREATE FUNCTION pg_temp.first() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT date_trunc('month', now(), 'UTC') - make_interval(months => %(months)s - 1)
$$;

-- The time of row n among all rows of its table.
CREATE FUNCTION pg_temp.at(n bigint, among bigint DEFAULT %(rows)s) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT pg_temp.first() + (n - 1)::float8 / among * (now() - pg_temp.first())
$$;

-- The key of row n of any table: a v7 id of the row's own time.
CREATE FUNCTION pg_temp.key(n bigint, among bigint DEFAULT %(rows)s) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM pg_temp.at(n, among)) * 1000)::bigint), 12, '0') || '7'
        || left(md5(n::text), 3) || '8' || right(md5(n::text), 15))::uuid
$$;

-- A number from 0 to 999, by chance, of which each salt gives another.
CREATE FUNCTION pg_temp.roll(n bigint, salt bigint) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT (hashint8extended(n, salt) & 1048575)::int %% 1000
$$;

-- The time of a day: of many rows that fall due on one day, few do at the same moment.
CREATE FUNCTION pg_temp.of_day(n bigint) RETURNS interval LANGUAGE sql IMMUTABLE AS $$
    SELECT n %% 86400 * interval '1 second'
$$;

CREATE FUNCTION pg_temp.upn(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'adm-' || CASE WHEN n = 1 THEN '0' ELSE left(md5(n::text), 12) END || '@contoso.example'
$$;

CREATE FUNCTION pg_temp.whose(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN n %% 10 = 0 THEN 1 ELSE 1 + (hashint8extended(n, 7) & 1048575) %% %(rows)s END
$$;

INSERT INTO privileged_users (
    id, created_at, upn, display_name, email, source_user_id, source_user_upn, department, is_active, risk_level,
    compliance_status, certification_required, next_certification_date, last_sign_in, is_deleted, deleted_at
)
SELECT
    pg_temp.key(n), pg_temp.at(n), pg_temp.upn(n),
    CASE WHEN n = 2 THEN 'Zoe zzyzx' ELSE 'Name ' || right(md5(n::text), 8) END, NULL, 's' || n, 's' || n,
    'dept-' || n %% 40, pg_temp.roll(n, 1) >= 50,
    CASE WHEN pg_temp.roll(n, 2) < 10 THEN 'critical' WHEN pg_temp.roll(n, 2) < 100 THEN 'high'
        WHEN pg_temp.roll(n, 2) < 300 THEN 'medium' ELSE 'low' END,
    CASE WHEN pg_temp.roll(n, 3) < 20 THEN 'non_compliant' WHEN pg_temp.roll(n, 3) < 70 THEN 'pending_review'
        ELSE 'compliant' END,
    n %% 4 = 0, CASE WHEN n %% 4 = 0 THEN now() + (pg_temp.roll(n, 4) - 80) * interval '9 hours' END,
    now() - (pg_temp.roll(n, 6) %% 100) * interval '1 day',
    pg_temp.roll(n, 5) < 10 AND n > 2, CASE WHEN pg_temp.roll(n, 5) < 10 AND n > 2 THEN now() END
FROM generate_series(1, %(rows)s) n;

INSERT INTO directory_roles (id, created_at, template_id, role_name, description, category, is_privileged)
SELECT pg_temp.key(n), pg_temp.at(n), gen_random_uuid(), 'Role ' || n, 'Manages the part ' || n, 'custom', n %% 5 = 0
FROM generate_series(1, 138) n;

INSERT INTO service_identities (
    id, created_at, name, description, identity_type, environment, status, risk_level, is_active, expires_at,
    next_rotation_date, client_id, oidc_issuer_url, last_used, is_deleted, deleted_at
)
SELECT
    pg_temp.key(n), pg_temp.at(n), 'svc-' || left(md5(n::text), 12), CASE WHEN n = 2 THEN 'the one zzyzx' END,
    CASE WHEN pg_temp.roll(n, 1) < 10 THEN 'managed_identity_user' WHEN pg_temp.roll(n, 1) < 50
        THEN 'managed_identity_system' WHEN pg_temp.roll(n, 1) < 150 THEN 'workload_identity'
        WHEN pg_temp.roll(n, 1) < 600 THEN 'service_principal' ELSE 'service_account' END,
    CASE WHEN pg_temp.roll(n, 2) < 50 THEN 'test' WHEN pg_temp.roll(n, 2) < 150 THEN 'staging'
        WHEN pg_temp.roll(n, 2) < 300 THEN 'development' ELSE 'production' END,
    CASE WHEN pg_temp.roll(n, 3) < 10 THEN 'pending_deletion' WHEN pg_temp.roll(n, 3) < 30 THEN 'suspended'
        WHEN pg_temp.roll(n, 3) < 150 THEN 'inactive' ELSE 'active' END,
    CASE WHEN pg_temp.roll(n, 4) < 10 THEN 'critical' WHEN pg_temp.roll(n, 4) < 100 THEN 'high'
        WHEN pg_temp.roll(n, 4) < 300 THEN 'medium' ELSE 'low' END,
    pg_temp.roll(n, 3) >= 150,
    CASE WHEN n %% 2 = 0 THEN greatest(now() + (pg_temp.roll(n, 5) - 10) * interval '1 day' + pg_temp.of_day(n), pg_temp.at(n + 1)) END,
    CASE WHEN n %% 4 = 0 THEN now() + (pg_temp.roll(n, 6) - 20) * interval '1 day' + pg_temp.of_day(n) END,
    CASE WHEN pg_temp.roll(n, 1) BETWEEN 150 AND 599 THEN gen_random_uuid() END,
    CASE WHEN pg_temp.roll(n, 1) BETWEEN 50 AND 149 THEN 'https://issuer.example' END,
    now() - (pg_temp.roll(n, 8) %% 100) * interval '1 day',
    pg_temp.roll(n, 7) < 10 AND n > 2, CASE WHEN pg_temp.roll(n, 7) < 10 AND n > 2 THEN now() END
FROM generate_series(1, %(rows)s) n;

INSERT INTO credentials (
    id, created_at, credential_type, name, description, service_identity_id, vault_path, status, expires_at,
    next_rotation_date, is_deleted, deleted_at
)
SELECT
    pg_temp.key(n), pg_temp.at(n), 'client_secret', 'key-' || left(md5(n::text), 12),
    CASE WHEN n = 2 THEN 'the one zzyzx' END, pg_temp.key(n), 'kv/' || n,
    CASE WHEN pg_temp.roll(n, 1) < 10 THEN 'pending_rotation' WHEN pg_temp.roll(n, 1) < 30 THEN 'revoked'
        WHEN pg_temp.roll(n, 1) < 90 THEN 'expired' WHEN pg_temp.roll(n, 1) < 700 THEN 'rotated' ELSE 'active' END,
    CASE WHEN n %% 2 = 0 THEN greatest(now() + (pg_temp.roll(n, 2) - 10) * interval '1 day' + pg_temp.of_day(n), pg_temp.at(n + 1)) END,
    CASE WHEN n %% 2 = 0 THEN now() + (pg_temp.roll(n, 3) - 20) * interval '1 day' + pg_temp.of_day(n) END,
    pg_temp.roll(n, 4) < 10 AND n > 2, CASE WHEN pg_temp.roll(n, 4) < 10 AND n > 2 THEN now() END
FROM generate_series(1, %(rows)s) n;

INSERT INTO credential_rotations (
    id, created_at, credential_id, status, scheduled_date, completed_at, next_retry_at, is_deleted, deleted_at
)
SELECT
    pg_temp.key(n), pg_temp.at(n), pg_temp.key(n), status, pg_temp.at(n) + interval '10 days',
    CASE WHEN status = 'completed' THEN pg_temp.at(n) + interval '11 days' END,
    CASE WHEN status = 'failed' AND n %% 2 = 0 THEN now() + (pg_temp.roll(n, 2) - 300) * interval '1 hour' + pg_temp.of_day(n) / 24 END,
    pg_temp.roll(n, 3) < 10, CASE WHEN pg_temp.roll(n, 3) < 10 THEN now() END
FROM (
    SELECT n, CASE WHEN n > %(rows)s * 0.98 THEN 'scheduled' WHEN pg_temp.roll(n, 1) < 5 THEN 'in_progress'
        WHEN pg_temp.roll(n, 1) < 25 THEN 'cancelled' WHEN pg_temp.roll(n, 1) < 50 THEN 'failed' ELSE 'completed' END AS status
    FROM generate_series(1, %(rows)s) n
) t;

INSERT INTO role_assignments (
    id, created_at, directory_role_id, user_id, assigned_at, assigned_by, expires_at, is_active, sync_status,
    requires_certification, next_certification_date, is_emergency, emergency_justification, is_deleted, deleted_at
)
SELECT
    pg_temp.key(n), pg_temp.at(n), pg_temp.key(1 + n %% 138), pg_temp.key(n), pg_temp.at(n), 'boss@contoso.example',
    CASE WHEN emergency OR n %% 2 = 0
        THEN greatest(now() + (pg_temp.roll(n, 2) - 20) * interval '1 day' + pg_temp.of_day(n), pg_temp.at(n + 1)) END,
    pg_temp.roll(n, 1) < 100,
    CASE WHEN pg_temp.roll(n, 3) < 5 THEN 'failed' WHEN pg_temp.roll(n, 3) < 20 THEN 'pending' ELSE 'synced' END,
    n %% 4 = 0, CASE WHEN n %% 4 = 0 THEN now() + (pg_temp.roll(n, 4) - 50) * interval '1 day' + pg_temp.of_day(n) END,
    emergency, CASE WHEN emergency THEN 'the tenant was locked out' END,
    pg_temp.roll(n, 6) < 10, CASE WHEN pg_temp.roll(n, 6) < 10 THEN now() END
FROM (SELECT n, pg_temp.roll(n, 5) < 10 AS emergency FROM generate_series(1, %(rows)s) n) t;

INSERT INTO sessions (
    id, created_at, session_token_hash, user_id, last_activity, expires_at, is_active, terminated_at,
    authentication_method, source_ip, is_suspicious, is_deleted, deleted_at
)
SELECT
    pg_temp.key(n), at, encode(sha256(n::text::bytea), 'hex'), pg_temp.key(pg_temp.whose(n)),
    at + interval '20 minutes', at + interval '8 hours', open, CASE WHEN NOT open THEN at + interval '1 hour' END,
    'mfa', '192.0.2.1', pg_temp.roll(n, 2) < 10, pg_temp.roll(n, 3) < 2, CASE WHEN pg_temp.roll(n, 3) < 2 THEN now() END
-- Open are the last ones, and a few that nobody closed.
FROM (
    SELECT n, pg_temp.at(n) AS at, n > %(rows)s * 0.998 OR pg_temp.roll(n, 1) < 1 AS open
    FROM generate_series(1, %(rows)s) n
) t;

INSERT INTO audit_logs (
    id, "timestamp", event_type, action, result, severity, is_suspicious, actor_upn, description, details,
    compliance_frameworks
)
SELECT
    pg_temp.key(n, %(events)s), pg_temp.at(n, %(events)s),
    CASE WHEN pg_temp.roll(n, 1) < 5 THEN 'security_incident' WHEN pg_temp.roll(n, 1) < 15 THEN 'compliance'
        WHEN pg_temp.roll(n, 1) < 30 THEN 'configuration' WHEN pg_temp.roll(n, 1) < 80 THEN 'credential_access'
        WHEN pg_temp.roll(n, 1) < 200 THEN 'privileged_operation' WHEN pg_temp.roll(n, 1) < 400 THEN 'authorization'
        ELSE 'authentication' END,
    'sign_in',
    CASE WHEN pg_temp.roll(n, 2) < 10 THEN 'error' WHEN pg_temp.roll(n, 2) < 40 THEN 'denied'
        WHEN pg_temp.roll(n, 2) < 100 THEN 'failure' ELSE 'success' END,
    CASE WHEN pg_temp.roll(n, 3) < 10 THEN 'critical' WHEN pg_temp.roll(n, 3) < 50 THEN 'high'
        WHEN pg_temp.roll(n, 3) < 150 THEN 'warning' WHEN pg_temp.roll(n, 3) < 250 THEN 'low' ELSE 'info' END,
    pg_temp.roll(n, 4) < 5, pg_temp.upn(pg_temp.whose(n)),
    'Signed in from ' || left(md5((n %% 5000)::text), 8), CASE WHEN n = %(events)s / 2 THEN 'the one zzyzx'
        ELSE 'request ' || left(md5(n::text), 12) END,
    CASE WHEN n %% 20 = 0 THEN ARRAY['SOX'] ELSE ARRAY[]::text[] END
FROM generate_series(1, %(events)s) n;
