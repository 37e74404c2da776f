"""Tables of months: which there are, and rows of many of them."""

from uuid import UUID

from django.db import connections

from pam.models import Session
from pam.postgres.months import Month
from tests.support import bulk

# The migrations between which both tables are converted.
BEGIN, CONVERTED = "0010_phase3_begin", "0012_phase3_sessions_by_month"

SESSION_ROWS = """
INSERT INTO sessions (
    id, created_at, updated_at, session_token_hash, user_id, last_activity, expires_at, authentication_method, source_ip
)
SELECT
    (left(ms, 8) || '-' || substr(ms, 9) || '-7' || left(md5(n::text), 3) || '-8' || substr(md5(n::text), 4, 3)
        || '-' || right(md5(n::text), 12))::uuid,
    at, at, encode(sha256(n::text::bytea), 'hex'), (SELECT id FROM privileged_users ORDER BY id LIMIT 1), at,
    at + interval '8 hours', 'mfa', '192.0.2.7'
FROM (
    SELECT n, at, lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') AS ms
    FROM (
        SELECT n, %(begin)s::timestamptz + n::float8 / %(rows)s * %(days)s * interval '1 day' AS at
        FROM generate_series(1, %(rows)s) n
    ) times
) rows
"""


def add_sessions(alias: str, rows: int, days: int = 200, begin: str = bulk.BEGIN) -> None:
    """`rows` sessions of the oldest user, over the same days as the audit rows."""
    with connections[alias].cursor() as cursor:
        cursor.execute(SESSION_ROWS, {"rows": rows, "days": days, "begin": begin})


def add_sessions_over(alias: str, rows: int, months: int, last: Month) -> None:
    """`rows` sessions of the oldest user, spread evenly over so many whole months."""
    first = last.plus(1 - months)
    add_sessions(alias, rows, (last.end - first.start).days - 1, first.start.isoformat())


def session_keys(alias: str, count: int) -> list[UUID]:
    """The keys of so many sessions, chosen by chance, so that they lie in all months."""
    return list(Session.objects.using(alias).order_by("?").values_list("pk", flat=True)[:count])


def partitions(alias: str, table: str) -> dict[str, str]:
    """The partitions of a table with their bounds; empty for a plain one."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid)"
            " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass ORDER BY 1",
            [table],
        )
        return dict(cursor.fetchall())


def left_over(alias: str) -> list[str]:
    """What a conversion should have taken away again."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname LIKE '%%menshun\\_%%' AND relnamespace = 'public'::regnamespace"
            " UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE '%%menshun\\_%%'"
            " UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE '%%menshun\\_%%'"
            " UNION ALL SELECT conname FROM pg_constraint WHERE conname LIKE '%%menshun\\_%%'",
            [],
        )
        return [name for (name,) in cursor.fetchall()]
