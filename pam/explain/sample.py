"""Parameters for the named queries, drawn from what the database holds."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from django.db.models import Count, Max, Min, QuerySet

from pam.models import (
    AuditLog,
    CredentialRotation,
    PrivilegedUser,
    RoleAssignment,
    ServiceIdentity,
    Session,
)
from pam.postgres.errors import MenshunError
from pam.postgres.months import Month


class NoRows(MenshunError):
    """There is nothing to ask about."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"There are no {what} in this database to ask about. Load a company: "
            "python manage.py pam_load --profile small"
        )


@dataclass
class Sample:
    """Values of rows that are there; `now` is the time of the newest event, so that old data is asked as of its day."""

    alias: str

    @cached_property
    def now(self) -> datetime:
        return cast(datetime, self._one(AuditLog.objects, Max("timestamp")))

    @cached_property
    def oldest_month(self) -> Month:
        return Month.of(cast(datetime, self._one(AuditLog.objects, Min("timestamp"))))

    @cached_property
    def last_whole_month(self) -> Month:
        return Month.of(self.now).plus(-1)

    @cached_property
    def actor(self) -> str:
        """Who does most."""
        busiest = (
            Session.all_objects.using(self.alias)
            .values("user__upn")
            .annotate(n=Count("id"))
            .order_by("-n", "user__upn")
        )
        return cast(str, _first(busiest, "sessions")["user__upn"])

    @cached_property
    def user(self) -> PrivilegedUser:
        return PrivilegedUser.all_objects.using(self.alias).get(upn=self.actor)

    @cached_property
    def session(self) -> Session:
        """The newest of the busiest user that is over: of the hours to come the planner expects one event, for which
        any index is as good."""
        newest = self.user.sessions.using(self.alias).order_by("-created_at")
        over = newest.filter(expires_at__lte=self.now)
        return cast(Session, _first(over if over.exists() else newest, "sessions"))

    @cached_property
    def event(self) -> AuditLog:
        """One with a target, of some days ago."""
        events = AuditLog.objects.using(self.alias).filter(session_id=self.session.id).order_by("timestamp")
        return cast(AuditLog, _first(events, "audit events"))

    @cached_property
    def assignment(self) -> RoleAssignment:
        return cast(
            RoleAssignment, _first(RoleAssignment.all_objects.using(self.alias).order_by("-assigned_at"), "assignments")
        )

    @cached_property
    def identity(self) -> ServiceIdentity:
        return cast(
            ServiceIdentity, _first(ServiceIdentity.objects.using(self.alias).active().order_by("name"), "identities")
        )

    @cached_property
    def rotation(self) -> CredentialRotation:
        rotations = CredentialRotation.all_objects.using(self.alias).order_by("scheduled_date")
        return cast(CredentialRotation, _first(rotations, "rotations"))

    def _one(self, rows: Any, aggregate: Any) -> Any:
        found = rows.using(self.alias).aggregate(found=aggregate)["found"]
        if found is None:
            raise NoRows("audit events")
        return found


def _first(rows: QuerySet[Any, Any], what: str) -> Any:
    found = rows.first()
    if found is None:
        raise NoRows(what)
    return found
