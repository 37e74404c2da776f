"""The queries that matter, by name: who asks, with which index, and what an answer may cost.

The cost is counted in buffers (pages of 8 kB, from memory or disk), as a function of the rows of the answer and of the
partitions in which they lie; not in seconds, which are the machine's. `pam_explain` holds each against its bound.
"""

from collections.abc import Callable
from datetime import timedelta

from pam.explain.query import Query, Rows
from pam.explain.sample import Sample
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

DAY, WEEK = timedelta(days=1), timedelta(days=7)
PAGE = 50


QUERIES: dict[str, Query] = {}


def asked(
    *indexes: str, partitions: int | None = None, per_partition: int = 12, per_row: float = 3
) -> Callable[[Callable[[Sample], Rows]], Callable[[Sample], Rows]]:
    """Make a function a named query."""

    def named(build: Callable[[Sample], Rows]) -> Callable[[Sample], Rows]:
        QUERIES[build.__name__] = Query(build.__name__, build, indexes, partitions, per_partition, per_row)
        return build

    return named


# People.


@asked("ix_privileged_users_active_upn_partial", per_row=1)
def active_upns(data: Sample) -> Rows:
    """The access review, weekly: the names of all who can sign in."""
    return PrivilegedUser.objects.active().values_list("upn")


@asked("uq_privileged_users_upn", "ix_privileged_users_active_upn", "ix_privileged_users_active_upn_partial")
def sign_in(data: Sample) -> Rows:
    """The sign-in, many times a minute: the account of a UPN."""
    return PrivilegedUser.objects.active().filter(upn=data.actor)


@asked("ix_privileged_users_manager_upn")
def people_of_a_manager(data: Sample) -> Rows:
    """A manager who certifies his people, once a quarter."""
    return PrivilegedUser.objects.filter(manager_upn=data.user.manager_upn or data.actor)


# Service identities and their secrets.


@asked("ix_service_identities_active_name_partial", per_row=1)
def active_identity_names(data: Sample) -> Rows:
    """The operator's list of what runs with privileges, by name, daily."""
    return ServiceIdentity.objects.active().order_by("name").values_list("name")


@asked("ix_service_identities_rotation_partial")
def identities_due_for_rotation(data: Sample) -> Rows:
    """The rotation worker, every minute: whose secrets must be renewed by now."""
    return ServiceIdentity.objects.active().due_for_rotation(data.now)


@asked("ix_service_identities_expiration_partial")
def identities_that_expire(data: Sample) -> Rows:
    """The notice to owners, daily: what ends within a week."""
    return ServiceIdentity.objects.expiring_within(WEEK, data.now)


@asked("ix_service_identities_search_gin", per_partition=200, per_row=6)
def identities_by_words(data: Sample) -> Rows:
    """The operator who knows a part of the name, often: the search of the admin."""
    return ServiceIdentity.objects.search(data.identity.name[4:])


@asked("ix_service_identities_owner_upn")
def identities_of_an_owner(data: Sample) -> Rows:
    """When somebody leaves: what he answers for."""
    return ServiceIdentity.objects.filter(owner_upn=data.identity.owner_upn)


@asked(per_row=3)
def identities_out_of_use(data: Sample) -> Rows:
    """The clean-up, monthly: what is switched off and marked as inactive. Reading all of a small table is right."""
    return ServiceIdentity.objects.filter(is_active=False, status="inactive")


@asked("ix_credentials_rotation_schedule_partial")
def credentials_due_for_rotation(data: Sample) -> Rows:
    """The rotation worker, every minute: the oldest of what is due."""
    return Credential.objects.due_for_rotation(data.now).order_by("next_rotation_date")[:PAGE]


@asked("ix_credentials_expiry_partial")
def credentials_that_expire(data: Sample) -> Rows:
    """The notice to emergency contacts, daily: what ends within a week."""
    return Credential.objects.expiring_within(WEEK, data.now)


@asked("ix_credentials_active_name_partial", per_row=1)
def active_credentials(data: Sample) -> Rows:
    """The export for the vault's reconciliation, daily: the names of all that open something."""
    return Credential.objects.active().values_list("name")


@asked("ix_credentials_service_type")
def credentials_of_an_identity(data: Sample) -> Rows:
    """The page of an identity, often."""
    return Credential.objects.filter(service_identity=data.identity.pk)


@asked("ix_credential_rotations_retry_partial")
def rotations_to_retry(data: Sample) -> Rows:
    """The rotation worker, every minute: what failed and is to be tried again."""
    return CredentialRotation.objects.due_for_retry(data.now)


@asked("ix_credential_rotations_cred_status")
def rotations_of_a_credential(data: Sample) -> Rows:
    """The page of a credential: its history."""
    return CredentialRotation.objects.filter(credential=data.rotation.credential_id)


# Roles, and who holds them.


@asked("ix_directory_roles_search_gin", per_partition=200, per_row=6)
def roles_by_words(data: Sample) -> Rows:
    """The requester who knows what the role should allow, but not its name."""
    return DirectoryRole.objects.search("authentication policy")


@asked("ix_role_assignments_user_active")
def roles_of_a_user(data: Sample) -> Rows:
    """The access check, at every privileged step: which roles this user holds now."""
    return RoleAssignment.objects.active().filter(user=data.user.pk)


@asked("ix_role_assignments_role_active", "uq_role_assignments_active_user", "uq_role_assignments_active_identity")
def holders_of_a_role(data: Sample) -> Rows:
    """The auditor: who holds this role now."""
    return RoleAssignment.objects.active().filter(directory_role=data.assignment.directory_role_id)


@asked("ix_role_assignments_expiry_partial", "ix_role_assignments_expiry")
def assignments_that_expire(data: Sample) -> Rows:
    """The notice to holders, daily: what ends within a week."""
    return RoleAssignment.objects.expiring_within(WEEK, data.now)


@asked("ix_role_assignments_certification_partial")
def assignments_to_certify(data: Sample) -> Rows:
    """The auditor, weekly: the most overdue first."""
    return RoleAssignment.objects.due_for_certification(data.now).order_by("next_certification_date")[:PAGE]


@asked("ix_role_assignments_emergency_partial", "ix_role_assignments_emergency")
def emergencies(data: Sample) -> Rows:
    """The auditor, monthly: the last times that somebody broke the glass."""
    return RoleAssignment.all_objects.emergency().order_by("-assigned_at")[:PAGE]


# Sessions.


# While few are open, the other index of open sessions lists them as well.
@asked("ix_sessions_user_active", "ix_sessions_active_activity_partial")
def open_sessions_of_a_user(data: Sample) -> Rows:
    """The sign-in, which counts them; and who ends all sessions of a user."""
    return Session.objects.active().filter(user=data.user.pk)


# The same here.
@asked("ix_sessions_expiry_cleanup_partial", "ix_sessions_active_activity_partial")
def sessions_to_end(data: Sample) -> Rows:
    """The clean-up, every minute: what should have ended."""
    return Session.objects.expired(data.now).order_by("expires_at")[:PAGE]


# And here: that of what ends lists few as quickly, and then they are sorted.
@asked("ix_sessions_active_activity_partial", "ix_sessions_expiry_cleanup_partial")
def idle_sessions(data: Sample) -> Rows:
    """The clean-up, every minute: in which nothing happened for two hours, the longest first."""
    return Session.objects.stale(timedelta(hours=2), data.now).order_by("last_activity")[:PAGE]


@asked("ix_sessions_ip_created", partitions=2)
def sessions_from_an_address(data: Sample) -> Rows:
    """The investigator: who signed in from here within the last days."""
    since = data.session.created_at - WEEK
    return Session.objects.filter(
        source_ip=data.session.source_ip, created_at__gte=since, created_at__lte=data.session.created_at
    )


# What happened.


# The key carries the time to the millisecond, so that either index finds the row at once.
@asked("audit_logs_pkey", "ix_audit_logs_timestamp_type", partitions=1)
def event_by_key(data: Sample) -> Rows:
    """The object page of an event; the key says in which month it lies."""
    return AuditLog.objects.filter(pk=data.event.pk)


@asked("ix_audit_logs_actor_timestamp", partitions=2)
def last_week_of_an_actor(data: Sample) -> Rows:
    """The investigator, often: what somebody did in the last week, the newest first."""
    return AuditLog.objects.filter(
        actor_upn=data.actor, timestamp__gte=data.now - WEEK, timestamp__lte=data.now
    ).order_by("-timestamp")


@asked(
    "ix_audit_logs_timestamp_type",
    "ix_audit_logs_severity_suspicious",
    "ix_audit_logs_list_result",
    "ix_audit_logs_list_severity",
    partitions=1,
    per_partition=24,
    per_row=60,
)
def denials_of_a_month(data: Sample) -> Rows:
    """The security officer, monthly: which authorizations were denied."""
    month = data.last_whole_month
    return AuditLog.objects.filter(
        event_type="authorization",
        result="denied",
        severity="high",
        is_suspicious=False,
        timestamp__gte=month.start,
        timestamp__lt=month.end,
    )


@asked("ix_audit_logs_target_timestamp", partitions=2)
def last_events_of_a_target(data: Sample) -> Rows:
    """The page of a user or identity: what was done to it within the last month."""
    return AuditLog.objects.filter(
        target_resource_type=data.event.target_resource_type,
        target_resource_id=data.event.target_resource_id,
        timestamp__gte=data.event.timestamp - 4 * WEEK,
        timestamp__lte=data.event.timestamp,
    )


@asked("ix_audit_logs_session_correlation", partitions=2)
def events_of_a_session(data: Sample) -> Rows:
    """The page of a session; its events lie between its beginning and its end."""
    return AuditLog.objects.filter(
        session_id=data.session.pk,
        timestamp__gte=data.session.created_at,
        timestamp__lt=data.session.expires_at,
    )


@asked("ix_audit_logs_severity_suspicious", "ix_audit_logs_list_suspicious", partitions=2)
def suspicious_events_of_a_week(data: Sample) -> Rows:
    """The security officer, every morning."""
    return AuditLog.objects.filter(
        severity="critical", is_suspicious=True, timestamp__gte=data.now - WEEK, timestamp__lte=data.now
    )


@asked("ix_audit_logs_source_ip", partitions=2)
def events_from_an_address(data: Sample) -> Rows:
    """The investigator: what came from here within a day."""
    return AuditLog.objects.filter(
        source_ip=data.event.source_ip, timestamp__gte=data.event.timestamp - DAY, timestamp__lte=data.event.timestamp
    )


@asked("ix_audit_logs_compliance_gin", per_partition=40, per_row=6)
def compliance_events(data: Sample) -> Rows:
    """The auditor of one framework, yearly: all that counts for it."""
    return AuditLog.objects.compliance("HIPAA")


@asked("ix_audit_logs_search_gin", partitions=2, per_partition=1500, per_row=6)
def events_by_words(data: Sample) -> Rows:
    """The investigator who knows some words of what was written down, and about when."""
    return AuditLog.objects.search(data.event.source_ip or "").filter(
        timestamp__gte=data.event.timestamp - WEEK, timestamp__lte=data.event.timestamp
    )


@asked(partitions=1, per_row=1)
def export_of_the_oldest_month(data: Sample) -> Rows:
    """The archive, monthly: a whole month, before it is detached. Reading all of one partition is right."""
    month = data.oldest_month
    return AuditLog.objects.filter(timestamp__gte=month.start, timestamp__lt=month.end)
