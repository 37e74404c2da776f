"""A person's page shows the last of what they hold and did, to whom may see it, at the cost of an index."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from pam.admin.person import SHOWN
from pam.models import AuditLog, DirectoryRole, PrivilegedUser, RoleAssignment, Session
from tests.support.admin import sign_in, url
from tests.support.at_size import buffers_of
from tests.support.rows import CLOCK, make

pytestmark = [pytest.mark.django_db, pytest.mark.once]

PARTS = {RoleAssignment: "Role assignments", Session: "Sessions", AuditLog: "Last events"}


def person(count: int) -> PrivilegedUser:
    """Somebody with so many assignments, sessions and events, the last of each with the largest number."""
    user = make(PrivilegedUser)
    for n in range(count):
        later = CLOCK + timedelta(minutes=n)
        make(RoleAssignment, user=user, is_active=n == 0, expires_at=later + timedelta(days=9))
        make(Session, user=user, last_activity=later, source_ip=f"192.0.2.{n}")
        make(AuditLog, actor_upn=user.upn, timestamp=later, action=f"action-{n}.")
    make(RoleAssignment)
    make(Session, source_ip="198.51.100.1")
    make(AuditLog, actor_upn="other@contoso.example", action="action-other")
    return user


def test_the_last_ones_are_shown_and_no_more() -> None:
    user = person(SHOWN + 2)

    response = sign_in().get(url(PrivilegedUser, "change", user))

    assignments, sessions, events = response.context["parts"]
    assert [line.cells[1] for line in assignments.lines] == [True] + [False] * (SHOWN - 1), "active ones first"
    assert [line.cells[0] for line in sessions.lines] == [f"192.0.2.{n}" for n in range(SHOWN + 1, 1, -1)]
    assert [line.cells[1] for line in events.lines] == [f"action-{n}." for n in range(SHOWN + 1, 1, -1)]
    page = response.content.decode()
    assert all(title in page for title in PARTS.values())


def test_the_links_lead_to_all_of_them() -> None:
    user = person(2)
    browser = sign_in()

    for part in browser.get(url(PrivilegedUser, "change", user)).context["parts"]:
        assert browser.get(part.all_address).context["cl"].result_count == 2


def test_the_number_of_queries_does_not_depend_on_the_rows() -> None:
    browser = sign_in()
    counts = []
    for user in (person(1), person(SHOWN + 2)):
        with CaptureQueriesContext(connection) as captured:
            browser.get(url(PrivilegedUser, "change", user))
        counts.append(len(captured))

    assert counts[0] == counts[1] <= 8, "a limit, Django's session, who signed in, the row, and one for each part"


@pytest.mark.parametrize("model", PARTS)
def test_who_may_not_see_a_table_sees_nothing_of_it(client: Client, model: type[DirectoryRole]) -> None:
    staff = User.objects.create(username="staff", is_staff=True)
    staff.user_permissions.set(
        Permission.objects.filter(codename__in=["view_privilegeduser", f"view_{model._meta.model_name}"])
    )
    client.force_login(staff)

    (part,) = client.get(url(PrivilegedUser, "change", person(1))).context["parts"]

    assert part.title.startswith(PARTS[model])


def test_nobody_new_has_a_history() -> None:
    browser = sign_in()

    assert browser.get(url(PrivilegedUser, "add")).context["parts"] == []
    page = browser.get(url(PrivilegedUser, "change", make(PrivilegedUser))).content.decode()
    assert "Has never signed in." in page


def test_each_part_reads_an_index_from_its_end() -> None:
    """Of somebody with a long history; in each month an index page or two, and the rows that are shown."""
    user = person(1)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sessions (id, session_token_hash, user_id, last_activity, expires_at, authentication_method,"
            " source_ip) SELECT gen_random_uuid(), encode(sha256(n::text::bytea), 'hex'), %s,"
            " now() - n * interval '1 s', now() + interval '8 hours', 'mfa', '192.0.2.1'"
            " FROM generate_series(1, 3000) n",
            [user.pk],
        )
        cursor.execute(
            "INSERT INTO audit_logs (id, event_type, action, result, description, actor_upn, timestamp)"
            " SELECT gen_random_uuid(), 'configuration', 'change', 'success', 'x', %s, now() - n * interval '1 s'"
            " FROM generate_series(1, 3000) n",
            [user.upn],
        )
        cursor.execute("ANALYZE sessions; ANALYZE audit_logs")
        cursor.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent IN ('sessions'::regclass, 'audit_logs'::regclass)"
        )
        (months,) = cursor.fetchone()
    browser = sign_in()

    with CaptureQueriesContext(connection) as captured:
        browser.get(url(PrivilegedUser, "change", user))

    read = [query["sql"] for query in captured if re.search(r'FROM "(sessions|audit_logs)"', query["sql"])]
    assert len(read) == 2
    assert sum(buffers_of("default", statement) for statement in read) <= 3 * months + 2 * 2 * SHOWN
