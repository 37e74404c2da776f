"""Clients of the application: each writes, changes and reads all eight tables and remembers what must be there."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from django.db import connections, models
from django.utils import timezone

from pam.models import (
    AuditLog,
    Credential,
    CredentialRotation,
    DirectoryRole,
    PrivilegedUser,
    RoleAssignment,
    ServiceIdentity,
    Session,
)

M = TypeVar("M", bound=models.Model)

TABLES: tuple[type[models.Model], ...] = (
    PrivilegedUser,
    DirectoryRole,
    ServiceIdentity,
    Credential,
    CredentialRotation,
    RoleAssignment,
    Session,
    AuditLog,
)


@dataclass
class Client:
    """One connection's worth of work on the database behind `alias`, under the name the server's log will show.

    `remembered` maps each row's id to the version it must have at the end; an audit event has version 0.
    """

    alias: str
    name: str
    remembered: dict[UUID, int] = field(default_factory=dict)

    def connect(self) -> None:
        """Give this thread's connection the client's name."""
        with connections[self.alias].cursor() as cursor:
            cursor.execute("SET application_name = %s", [self.name])

    def step(self, number: int) -> None:
        """Insert a row in each table, change the changeable ones, read some back; raise if a statement fails."""
        if number == 0:
            self.connect()
        tag, now = f"{self.name}-{number}", timezone.now()
        user = self._save(
            PrivilegedUser(
                upn=f"{tag}@contoso.example",
                display_name=tag,
                source_user_id=tag,
                source_user_upn=f"{tag}@contoso.example",
            )
        )
        role = self._save(DirectoryRole(template_id=uuid4(), role_name=tag, category="test"))
        identity = self._save(ServiceIdentity(name=tag, identity_type="service_account", next_rotation_date=now))
        credential = self._save(
            Credential(
                service_identity_id=identity.pk,
                credential_type="api_key",
                name=tag,
                vault_path=tag,
                expires_at=now + timedelta(days=9),
            )
        )
        rotation = self._save(CredentialRotation(credential_id=credential.pk, scheduled_date=now))
        assignment = self._save(
            RoleAssignment(
                directory_role_id=role.pk,
                user_id=user.pk,
                assigned_at=now,
                assigned_by=tag,
                expires_at=now + timedelta(hours=9),
            )
        )
        session = self._save(
            Session(
                session_token_hash=Session.hash_token(tag),
                user_id=user.pk,
                last_activity=now,
                expires_at=now + timedelta(hours=8),
                authentication_method="mfa",
                source_ip="192.0.2.7",
            )
        )
        self._tell(user, session, "sign_in")
        self._change(user, role, identity, credential, rotation, assignment, session)
        self._tell(user, session, "sign_out")
        self._read(user)

    def _change(
        self,
        user: PrivilegedUser,
        role: DirectoryRole,
        identity: ServiceIdentity,
        credential: Credential,
        rotation: CredentialRotation,
        assignment: RoleAssignment,
        session: Session,
    ) -> None:
        now = timezone.now()
        user.sign_in_count += 1
        role.assignment_count += 1
        identity.is_active = False
        credential.status = "rotated"
        rotation.status, rotation.next_retry_at = "failed", now
        assignment.is_active, assignment.revoked_at, assignment.revoked_by = False, now, self.name
        session.is_active, session.terminated_at, session.termination_reason = False, now, "logout"
        for row in (user, role, identity, credential, rotation, assignment, session):
            self._save(row)

    def _save(self, row: M) -> M:
        row.save(using=self.alias)
        self.remembered[row.pk] = getattr(row, "version", 0)
        return row

    def _tell(self, user: PrivilegedUser, session: Session, action: str) -> None:
        self._save(
            AuditLog(
                event_type="authentication",
                action=action,
                result="success",
                actor_user_id=user.pk,
                actor_upn=user.upn,
                session_id=session.pk,
                description=f"{user.display_name} did {action}",
                details="from the office",
                compliance_frameworks=["SOX"],
            )
        )

    def _read(self, user: PrivilegedUser) -> None:
        events = AuditLog.objects.using(self.alias).filter(actor_upn=user.upn).order_by("-timestamp")
        assert [event.action for event in events] == ["sign_out", "sign_in"]
        assert PrivilegedUser.objects.using(self.alias).active().get(upn=user.upn).sign_in_count == 1
        assert not RoleAssignment.objects.using(self.alias).active().filter(user=user).exists()


def found(alias: str, keys: set[UUID]) -> dict[UUID, int]:
    """What the database has of these rows, in all tables: id and version."""
    rows: dict[UUID, int] = {}
    for model in TABLES:
        query = model._base_manager.using(alias).filter(pk__in=keys)
        if model is AuditLog:
            rows |= dict.fromkeys(query.values_list("pk", flat=True), 0)
        else:
            rows |= dict(query.values_list("pk", "version"))
    return rows


def checksums(alias: str, before: str) -> dict[str, tuple[int, int]]:
    """Count and order-independent checksum, per table, of the whole rows older than a time."""
    sums: dict[str, tuple[int, int]] = {}
    with connections[alias].cursor() as cursor:
        for model in TABLES:
            table = model._meta.db_table
            time = '"timestamp"' if model is AuditLog else "created_at"
            cursor.execute(
                f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)"
                f" FROM {table} t WHERE {time} < %s",
                [before],
            )
            sums[table] = cursor.fetchone()
    return sums
