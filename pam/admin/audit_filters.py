"""Filters of the audit log: by time, and by what somebody types into a small form beside the list."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.utils import timezone

from pam.admin.audit_times import PERIODS, span_of
from pam.admin.form_filter import FormFilter, Input
from pam.models import AuditLog

Events = QuerySet[AuditLog, Any]


class TimeFilter(FormFilter):
    """A period until now by a link, or any time by the form. Months outside of it are not looked at."""

    title = "time (UTC)"
    names = ("from", "to", "period")
    hint = "From the first time on, to before the second."

    def inputs(self) -> list[Input]:
        times = (("from", "From"), ("to", "To before"))
        return [Input(name, label, self._shown(name), "datetime-local") for name, label in times]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield from super().choices(changelist)
        for name, (display, _) in PERIODS.items():
            yield {
                "selected": self.value("period") == name,
                "query_string": changelist.get_query_string({"from": None, "to": None, "period": name}),
                "display": display,
            }

    def rows(self, events: Events) -> Events:
        span = span_of({name: self.value(name) for name in self.names}, timezone.now())
        if span.start:
            events = events.filter(timestamp__gte=span.start)
        return events.filter(timestamp__lt=span.end) if span.end else events

    def _shown(self, name: str) -> str:
        """As the browser's field takes it: without a zone. Empty if it cannot be read."""
        try:
            span = span_of({name: self.value(name)}, timezone.now())
        except ValueError:
            return ""
        time = span.start or span.end
        return time.replace(tzinfo=None).isoformat(timespec="seconds") if time else ""


class ActorFilter(FormFilter):
    """Who did it: an index serves the UPN."""

    title = "actor"
    names = ("actor",)
    labels = ("UPN or id",)
    hint = "The whole UPN; or the id of a user or service identity, best within a time: ids of actors have no index."

    def rows(self, events: Events) -> Events:
        actor = self.value("actor")
        if key := key_of(actor):
            return events.filter(Q(actor_user_id=key) | Q(actor_service_identity_id=key))
        return events.filter(actor_upn=actor)


class TargetFilter(FormFilter):
    """To whom or what it was done: an index serves type and id together."""

    title = "target"
    names = ("target", "target_type")
    labels = ("Id or name", "Type")
    hint = "Type and id, such as privilegeduser, are found at once; anything else best within a time."

    def rows(self, events: Events) -> Events:
        target, kind = self.value("target"), self.value("target_type")
        if kind:
            events = events.filter(target_resource_type=kind)
        if not target:
            return events
        key = key_of(target)
        if key and kind:
            return events.filter(target_resource_id=str(key))
        if key:
            of_key = Q(target_user_id=key) | Q(target_service_identity_id=key)
            return events.filter(Q(target_resource_id=str(key)) | of_key)
        return events.filter(Q(target_resource_id=target) | Q(target_resource_name__iexact=target))


class FrameworkFilter(FormFilter):
    """What counts for one compliance framework: an index serves it."""

    title = "compliance framework"
    names = ("framework",)
    labels = ("Framework",)
    hint = "As it was recorded, such as SOX."

    def rows(self, events: Events) -> Events:
        return events.compliance(self.value("framework"))  # type: ignore[attr-defined,no-any-return]


class TieFilter(FormFilter):
    """What has a column in common with an event: shown only where a link from its page leads here."""

    def has_output(self) -> bool:
        return bool(self.used_parameters)

    def rows(self, events: Events) -> Events:
        (name,) = self.names
        return events.filter(**{name: self.value(name)})


class SessionFilter(TieFilter):
    """Events of one session."""

    title = "session"
    names = ("session_id",)
    labels = ("Id",)

    def rows(self, events: Events) -> Events:
        key = key_of(self.value("session_id"))
        if key is None:
            raise ValueError("this is no id of a session")
        return events.filter(session_id=key)


class CorrelationFilter(TieFilter):
    """Events of one correlation."""

    title = "correlation"
    names = ("correlation_id",)
    labels = ("Id",)


class RequestFilter(TieFilter):
    """Events of one request."""

    title = "request"
    names = ("request_id",)
    labels = ("Id",)


def key_of(text: str) -> UUID | None:
    """The id that a text is, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None
