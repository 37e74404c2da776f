-- A company of some size, skewed as life is: most identities are active, most of what has a history is history.
-- Ids are those of an import (version 4), so that no clock is needed to make them.

INSERT INTO privileged_users (
    id, upn, display_name, source_user_id, source_user_upn, is_active, is_deleted, deleted_at, department
)
SELECT
    gen_random_uuid(), 'adm-' || md5(n::text) || '@contoso.example', 'Admin ' || n, 'src-' || n,
    'user-' || n || '@contoso.example', n % 3 = 0, n % 50 = 0, CASE WHEN n % 50 = 0 THEN now() END, 'dept-' || n % 40
FROM generate_series(1, 6000) n;

INSERT INTO directory_roles (id, template_id, role_name, description, category)
SELECT
    gen_random_uuid(), gen_random_uuid(), 'Role ' || md5(n::text), 'Manages ' || md5((n * 7)::text) || ' of the tenant',
    'custom'
FROM generate_series(1, 3000) n;

INSERT INTO service_identities (
    id, created_at, name, identity_type, description, is_active, is_deleted, deleted_at, expires_at,
    next_rotation_date
)
SELECT
    gen_random_uuid(), now() - interval '3 years', 'svc-' || md5(n::text), 'service_account', 'runs the job ' || md5((n * 13)::text),
    n % 3 = 0, n % 40 = 0, CASE WHEN n % 40 = 0 THEN now() END,
    CASE WHEN n % 4 = 0 THEN now() + (n % 700 - 300) * interval '1 day' END,
    CASE WHEN n % 5 = 0 THEN now() + (n % 200 - 60) * interval '1 day' END
FROM generate_series(1, 6000) n;

INSERT INTO credentials (
    id, created_at, credential_type, name, service_identity_id, vault_path, status, expires_at, next_rotation_date,
    auto_rotation_enabled
)
SELECT
    gen_random_uuid(), now() - interval '3 years', 'client_secret', 'key-' || md5(n::text), s.id, 'kv/' || n,
    CASE WHEN n % 6 = 0 THEN 'active' ELSE 'rotated' END,
    CASE WHEN n % 2 = 0 THEN now() + (n % 900 - 600) * interval '1 day' END,
    CASE WHEN n % 2 = 0 THEN now() + (n % 500 - 400) * interval '1 day' END,
    n % 4 = 0
FROM generate_series(1, 12000) n
JOIN (SELECT id, row_number() OVER () AS r FROM service_identities) s ON s.r = 1 + n % 6000;

INSERT INTO credential_rotations (id, credential_id, status, scheduled_date, started_at, completed_at, next_retry_at)
SELECT
    gen_random_uuid(), c.id, CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'completed' END, now() - n * interval '1 hour',
    now() - n * interval '1 hour', CASE WHEN n % 100 > 0 THEN now() - n * interval '1 hour' + interval '1 minute' END,
    CASE WHEN n % 200 = 0 THEN now() + (n % 90 - 45) * interval '1 hour' END
FROM generate_series(1, 20000) n
JOIN (SELECT id, row_number() OVER () AS r FROM credentials) c ON c.r = 1 + n % 12000;

INSERT INTO role_assignments (
    id, directory_role_id, user_id, assigned_at, assigned_by, expires_at, is_active, requires_certification,
    next_certification_date, is_emergency, emergency_justification
)
SELECT
    gen_random_uuid(), r.id, u.id, now() - n * interval '30 minutes', 'boss@contoso.example',
    CASE WHEN n % 4 > 0 THEN now() - n * interval '30 minutes' + (1 + n % 400) * interval '1 day' END,
    n % 10 = 0, n % 5 = 0,
    CASE WHEN n % 5 = 0 THEN now() + (n % 300 - 100) * interval '1 day' END,
    n % 16 = 1, CASE WHEN n % 16 = 1 THEN 'the tenant was locked out' END
FROM generate_series(1, 40000) n
JOIN (SELECT id, row_number() OVER () AS r FROM directory_roles) r ON r.r = 1 + n % 2999
JOIN (SELECT id, row_number() OVER () AS r FROM privileged_users) u ON u.r = 1 + n % 5987;

INSERT INTO sessions (
    id, created_at, session_token_hash, user_id, last_activity, expires_at, is_active, terminated_at,
    termination_reason, authentication_method, source_ip
)
SELECT
    gen_random_uuid(), at, md5(n::text) || md5((n + 1)::text), u.id, at + interval '20 minutes', at + interval '8 hours',
    open, CASE WHEN NOT open THEN at + interval '1 hour' END, CASE WHEN NOT open THEN 'logout' END, 'mfa',
    '192.0.2.1'
-- Open are those of the last hours, and a few that nobody closed.
FROM (
    SELECT n, now() - n * interval '30 seconds' AS at, n < 950 OR n % 1500 = 0 AS open FROM generate_series(1, 40000) n
) times
JOIN (SELECT id, row_number() OVER () AS r FROM privileged_users) u ON u.r = 1 + n % 5987;

ANALYZE;
