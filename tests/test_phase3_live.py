"""Phase 3 comes and goes while clients insert, update, delete, read and sign in; nobody waits, nothing is lost."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from pam.models import PrivilegedUser, Session
from pam.postgres.uuid7 import uuid7_at
from tests.support.bulk import add_audit_rows
from tests.support.clients import Client, checksums, found
from tests.support.cluster import Cluster
from tests.support.months import BEGIN, add_sessions, left_over, partitions
from tests.support.servers import ALIAS, server_under_alias
from tests.support.threads import writers
from tests.test_phase2_live import OPTIONS, assert_a_wait_would_have_been_seen, client_lines

# Five months, and 24.
FEW, MANY = ("2026-07-03 13:37:11+00", 140), ("2024-11-03 13:37:11+00", 700)


@pytest.fixture
def cluster(django_db_blocker: DjangoDbBlocker) -> Iterator[Cluster]:
    """A server that logs every wait for a lock."""
    with django_db_blocker.unblock(), server_under_alias(OPTIONS) as server:
        yield server


@dataclass
class BusyClient(Client):
    """A client that also changes a session of its own again and again, and deletes every other one it makes; and a
    user for good, with his sessions in one transaction, each time after another one has come.
    """

    deleted: set[UUID] = field(default_factory=set)
    leavers: list[UUID] = field(default_factory=list)

    def step(self, number: int) -> None:
        super().step(number)
        now = timezone.now()
        row = Session(
            session_token_hash=Session.hash_token(f"{self.name}-{number}-busy"),
            user_id=self._user(),
            last_activity=now,
            expires_at=now + timedelta(hours=8),
            authentication_method="sso",
            source_ip="192.0.2.9",
        )
        self._save(row)
        for count in range(3):
            row.request_count = count
            self._save(row)
        if number % 2:
            del self.remembered[row.pk]
            self.deleted.add(row.pk)
            row.delete(using=self.alias)
        if self.leavers:
            self.erase(self.leavers.pop())
        self.leavers.append(self._signed_in_before(f"{self.name}-{number}-leaver", now))

    def _signed_in_before(self, name: str, now: datetime) -> UUID:
        """A new user, and a session of his in each of four months."""
        upn = f"{name}@contoso.example"
        user = PrivilegedUser(upn=upn, display_name=name, source_user_id=name, source_user_upn=upn)
        user.save(using=self.alias)
        for months in range(4):
            then = now - timedelta(days=30 * months)
            session = Session(
                id=uuid7_at(then),
                created_at=then,
                session_token_hash=Session.hash_token(f"{name}-{months}"),
                user_id=user.pk,
                last_activity=then,
                expires_at=then + timedelta(hours=8),
                authentication_method="sso",
                source_ip="192.0.2.9",
            )
            session.save(using=self.alias, force_insert=True)
            self.deleted.add(session.pk)
        return UUID(str(user.pk))

    def erase(self, user: UUID) -> None:
        """The user and his sessions, for good."""
        with transaction.atomic(using=self.alias), connections[self.alias].cursor() as cursor:
            cursor.execute("DELETE FROM sessions WHERE user_id = %s", [user])
            assert cursor.rowcount == 4
            cursor.execute("DELETE FROM privileged_users WHERE id = %s", [user])

    def _user(self) -> UUID:
        with connections[self.alias].cursor() as cursor:
            cursor.execute("SELECT id FROM privileged_users WHERE upn = %s", [f"{self.name}-0@contoso.example"])
            return UUID(str(cursor.fetchone()[0]))


@pytest.mark.parametrize(
    ("audit_rows", "session_rows", "months", "count"),
    [(6_000, 1_500, FEW, 2), pytest.param(2_000_000, 500_000, MANY, 8, marks=pytest.mark.scale)],
)
def test_clients_notice_nothing(cluster, audit_rows, session_rows, months, count, capsys):
    oldest, days = months
    call_command("migrate", "pam", "0001", database=ALIAS, verbosity=0)
    seed = Client(ALIAS, "seed")
    for number in range(20):
        seed.step(number)
    add_audit_rows(ALIAS, audit_rows, days, oldest)
    add_sessions(ALIAS, session_rows, days, oldest)
    call_command("migrate", "pam", "0090", database=ALIAS, verbosity=0)
    began = timezone.now().isoformat()
    before = checksums(ALIAS, began)
    clients = [BusyClient(ALIAS, f"client-{number}") for number in range(count)]

    with writers(count, lambda writer, number: clients[writer].step(number)) as steps:
        call_command("migrate", "pam", database=ALIAS, verbosity=0)
        assert len(partitions(ALIAS, "audit_logs")) > 8
        assert len(partitions(ALIAS, "sessions")) > 8
        call_command("migrate", "pam", BEGIN, database=ALIAS, verbosity=0)
        assert partitions(ALIAS, "audit_logs") == partitions(ALIAS, "sessions") == {}
        call_command("migrate", "pam", database=ALIAS, verbosity=0)

    for client in clients:
        client.erase(client.leavers.pop())
    assert left_over(ALIAS) == []
    assert checksums(ALIAS, began) == before
    for client in clients:
        assert found(ALIAS, set(client.remembered)) == client.remembered
        assert found(ALIAS, client.deleted) == {}
    assert [line for line in client_lines(cluster) if "ERROR" in line or "FATAL" in line] == []
    assert [line for line in client_lines(cluster) if "still waiting" in line or "acquired" in line] == []
    assert_a_wait_would_have_been_seen(cluster)
    with capsys.disabled():
        print(
            f"\n{audit_rows:,} audit rows, {session_rows:,} sessions, there, back, there: {sum(steps):,} client steps"
        )


def test_rows_that_no_month_was_made_for(migrated):
    """1970 and 2099 have ids without a time; both survive there and back, and are found by their key."""
    call_command("migrate", "pam", BEGIN, database=migrated, verbosity=0)
    strangers = {}
    with connections[migrated].cursor() as cursor:
        for year in (2099, 2025):
            strangers[year] = uuid4()
            cursor.execute(
                "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
                " VALUES (%s, 'compliance', 'x', 'success', make_timestamptz(%s, 12, 31, 23, 59, 59.999999, 'UTC'),"
                " 'y')",
                [strangers[year], year],
            )
        call_command("migrate", "pam", database=migrated, verbosity=0)
        cursor.execute("SELECT id, tableoid::regclass::text FROM audit_logs")
        assert {UUID(str(key)): table for key, table in cursor.fetchall()} == {
            strangers[2099]: "audit_logs_default",
            strangers[2025]: "audit_logs_2025_12",
        }
        call_command("migrate", "pam", BEGIN, database=migrated, verbosity=0)
        cursor.execute("SELECT count(*) FROM audit_logs WHERE id = ANY (%s)", [list(strangers.values())])
        assert cursor.fetchone() == (2,)
    assert left_over(migrated) == []
