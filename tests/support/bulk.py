"""Many rows at once, made by the server: what a live system has before a phase comes."""

from django.db import connections

BEGIN = "2026-01-05 13:37:11+00"

# A v7 id of the row's own time: 48 bits of milliseconds, the version, the variant, and chance.
AUDIT_ROWS = """
INSERT INTO audit_logs (
    id, event_type, event_subtype, action, result, "timestamp", actor_upn, target_resource_type, target_resource_id,
    session_id, source_ip, severity, is_suspicious, description, details, compliance_frameworks
)
SELECT
    (left(ms, 8) || '-' || substr(ms, 9) || '-7' || left(md5(n::text), 3) || '-8' || substr(md5(n::text), 4, 3)
        || '-' || right(md5(n::text), 12))::uuid,
    (ARRAY['authentication', 'authorization', 'privileged_operation', 'credential_access'])[1 + n %% 4],
    'sign_in',
    (ARRAY['read', 'update', 'rotate', 'activate'])[1 + n %% 4],
    CASE WHEN n %% 50 = 0 THEN 'denied' ELSE 'success' END,
    at,
    'user' || n %% 997 || '@contoso.example',
    'role',
    (n %% 138)::text,
    gen_random_uuid(),
    ('10.' || n %% 250 || '.' || n / 250 %% 250 || '.7')::inet,
    'info',
    n %% 1000 = 0,
    'User ' || left(md5((n %% 997)::text), 8) || ' used the role ' || left(md5((n %% 138)::text), 6),
    'request ' || md5(n::text) || ' from host ' || left(md5((n %% 5000)::text), 10),
    CASE WHEN n %% 20 = 0 THEN ARRAY['SOX', 'PCI-DSS'] ELSE ARRAY[]::text[] END
FROM (
    SELECT n, at, lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') AS ms
    FROM (
        SELECT n, %(begin)s::timestamptz + n::float8 / %(rows)s * %(days)s * interval '1 day' AS at
        FROM generate_series(1, %(rows)s) n
    ) times
) rows
"""


def add_audit_rows(alias: str, rows: int, days: int = 200, begin: str = BEGIN) -> None:
    """`rows` audit events, one actor among a thousand each, spread evenly over so many days."""
    with connections[alias].cursor() as cursor:
        cursor.execute(AUDIT_ROWS, {"rows": rows, "days": days, "begin": begin})


def audit_checksum(alias: str, where: str = "true") -> tuple[int, int]:
    """Count and order-independent checksum of whole audit rows."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), coalesce(sum(hashtextextended(a::text, 0)::numeric), 0) FROM audit_logs a WHERE {where}"
        )
        count, checksum = cursor.fetchone()
    return int(count), int(checksum)
