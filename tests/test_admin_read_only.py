"""The audit log can be read and nothing else; hashes cannot even be read."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client

from pam.models import AuditLog, PrivilegedUser, Session
from pam.models.reports import REPORTS
from tests.support.admin import sign_in, url
from tests.support.rows import make

pytestmark = [pytest.mark.django_db, pytest.mark.once]

DIGEST = "abcdef0123456789" * 4


@pytest.fixture
def browser() -> Client:
    return sign_in()


@pytest.fixture
def event() -> AuditLog:
    return make(AuditLog, checksum=DIGEST, signature="signed-by-nobody", details="what was said")


@pytest.fixture
def auditor() -> Client:
    """Somebody who may look at everything."""
    user = User.objects.create(username="auditor", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(user)
    return client


def stored() -> list[Any]:
    return list(AuditLog.objects.order_by("pk").values())


@pytest.mark.parametrize("page", ["add", "change", "delete"])
@pytest.mark.parametrize("data", [{}, {"action": "changed", "_save": "Save"}, {"post": "yes"}])
def test_a_superuser_cannot_write_to_the_audit_log(
    browser: Client, event: AuditLog, page: str, data: dict[str, str]
) -> None:
    before = stored()

    response = browser.post(url(AuditLog, page, None if page == "add" else event), data)

    assert response.status_code == 403
    assert stored() == before


@pytest.mark.parametrize("page", ["add", "delete"])
def test_not_even_the_forms_open(browser: Client, event: AuditLog, page: str) -> None:
    assert browser.get(url(AuditLog, page, None if page == "add" else event)).status_code == 403


def test_the_list_has_no_actions_and_takes_none(browser: Client, event: AuditLog) -> None:
    response = browser.get(url(AuditLog, "changelist"))
    assert response.context["action_form"] is None
    assert "action-checkbox" not in response.content.decode()

    for action in ("delete_selected", "restore"):
        data = {"action": action, "_selected_action": str(event.pk), "index": "0", "post": "yes"}
        assert browser.post(url(AuditLog, "changelist"), data).status_code == 403
    assert len(stored()) == 1


def test_an_event_is_shown_without_a_single_field_to_fill_in(browser: Client, event: AuditLog) -> None:
    response = browser.get(url(AuditLog, "change", event))

    page = response.content.decode()
    assert "what was said" in page
    assert not response.context["adminform"].form.fields
    assert 'name="_save"' not in page
    assert "deletelink" not in page


def test_the_history_of_an_event_is_harmless(browser: Client, event: AuditLog) -> None:
    before = stored()

    assert browser.get(url(AuditLog, "history", event)).status_code == 200
    assert browser.post(url(AuditLog, "history", event), {"post": "yes"}).status_code == 200
    assert stored() == before


def test_an_event_of_somebody_who_is_gone_still_tells_who(browser: Client) -> None:
    user = make(PrivilegedUser)
    event = make(AuditLog, actor_user_id=user.pk, actor_upn=user.upn)
    user.delete()

    page = browser.get(url(AuditLog, "change", event)).content.decode()

    assert str(event.actor_user_id) in page
    assert str(event.actor_upn) in page


def test_hashes_are_nowhere_to_be_seen(browser: Client, event: AuditLog) -> None:
    session = make(Session, session_token_hash=DIGEST)

    for row in (event, session):
        for page in ("change", "history"):
            text = browser.get(url(type(row), page, row)).content.decode()
            assert DIGEST not in text
            assert "signed-by-nobody" not in text
        assert DIGEST not in browser.get(url(type(row), "changelist")).content.decode()


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        (Session, "session_token_hash__startswith"),
        (Session, "session_token_hash"),
        (AuditLog, "checksum__startswith"),
        (AuditLog, "signature__contains"),
        (PrivilegedUser, "sessions__session_token_hash__startswith"),
    ],
)
def test_hashes_cannot_be_guessed_by_filters(browser: Client, event: AuditLog, model: Any, lookup: str) -> None:
    assert browser.get(url(model, "changelist"), {lookup: "a"}).status_code == 400


def test_hashes_are_not_found_by_search(browser: Client, event: AuditLog) -> None:
    make(Session, session_token_hash=DIGEST)

    for model in (Session, AuditLog):
        assert browser.get(url(model, "changelist"), {"q": DIGEST}).context["cl"].result_count == 0


def test_a_session_is_not_made_by_hand(browser: Client) -> None:
    assert browser.get(url(Session, "add")).status_code == 403


def test_what_a_session_recorded_cannot_be_rewritten(browser: Client) -> None:
    session = make(Session)
    response = browser.get(url(Session, "change", session))

    assert {"source_ip", "user", "session_token_hash", "request_count"}.isdisjoint(
        response.context["adminform"].form.fields
    )


def test_who_may_look_at_everything_changes_nothing(auditor: Client) -> None:
    for model in [model for model in admin.site._registry if model._meta.app_label == "pam" and model not in REPORTS]:
        row: Any = make(model)
        before = model._base_manager.values().get(pk=row.pk)

        assert "action-checkbox" not in auditor.get(url(model, "changelist")).content.decode()
        assert not auditor.get(url(model, "change", row)).context["adminform"].form.fields
        for page in ("change", "delete"):
            assert auditor.post(url(model, page, row), {"post": "yes"}).status_code == 403
        action = {"action": "delete_selected", "_selected_action": str(row.pk), "index": "0", "post": "yes"}
        auditor.post(url(model, "changelist"), action)

        assert model._base_manager.values().get(pk=row.pk) == before
