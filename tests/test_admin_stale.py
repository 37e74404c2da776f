"""Two people with the same form: the second to save is told so, loses nothing unseen, and overwrites nothing."""

from typing import Any

import pytest
from django.db.models.signals import pre_save
from django.test import Client

from pam.admin.forms import STALE
from pam.models import DirectoryRole, PrivilegedUser, RoleAssignment
from tests.support.admin import errors, open_form, sign_in, told, url
from tests.support.rows import CLOCK, make

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture
def browser() -> Client:
    return sign_in()


def stored(user: PrivilegedUser) -> Any:
    return PrivilegedUser.all_objects.values().get(pk=user.pk)


def test_a_saved_form_counts_the_version_and_says_who(browser: Client) -> None:
    user = make(PrivilegedUser)
    address = url(PrivilegedUser, "change", user)

    response = browser.post(address, {**open_form(browser, address), "department": "Audit"})

    assert errors(response) == ""
    after = stored(user)
    assert (after["department"], after["version"], after["updated_by"]) == ("Audit", 2, "operator")
    assert after["updated_at"] > CLOCK


def test_the_second_of_two_windows_is_refused(browser: Client) -> None:
    user = make(PrivilegedUser)
    address = url(PrivilegedUser, "change", user)
    first, second = open_form(browser, address), open_form(browser, address)
    browser.post(address, {**first, "department": "Audit"})
    before = stored(user)

    response = browser.post(address, {**second, "department": "Sales"})

    assert response.status_code == 200
    assert STALE in errors(response)
    assert 'value="Sales"' in response.content.decode(), "what was typed is still there to be copied"
    assert stored(user) == before


def test_sending_the_refused_form_again_does_not_get_past(browser: Client) -> None:
    user = make(PrivilegedUser)
    address = url(PrivilegedUser, "change", user)
    second = open_form(browser, address)
    browser.post(address, open_form(browser, address))
    refused = browser.post(address, {**second, "department": "Sales"})

    sent_again = {**second, "department": "Sales", "version": refused.context["adminform"].form["version"].value()}
    assert STALE in errors(browser.post(address, sent_again))
    assert stored(user)["department"] is None


def test_a_form_without_its_version_is_refused(browser: Client) -> None:
    user = make(PrivilegedUser)
    address = url(PrivilegedUser, "change", user)
    form = open_form(browser, address)

    for version in ({}, {"version": "one"}, {"version": "2"}):
        data = {name: value for name, value in form.items() if name != "version"} | version
        assert errors(browser.post(address, data)) != ""
    assert stored(user)["version"] == 1


def test_a_form_of_a_row_that_is_gone_says_so(browser: Client) -> None:
    user = make(PrivilegedUser)
    address = url(PrivilegedUser, "change", user)
    form = open_form(browser, address)
    user.delete()

    response = browser.post(address, form, follow=True)

    assert "exist" in " ".join(told(response))


def test_a_change_between_the_look_and_the_save_is_a_message(browser: Client) -> None:
    """Somebody else's UPDATE comes after the form was found valid: here, when the save is about to begin."""
    user = make(PrivilegedUser)
    address = url(PrivilegedUser, "change", user)
    form = open_form(browser, address)

    def be_faster(**_: Any) -> None:
        PrivilegedUser.objects.filter(pk=user.pk).update(department="Audit")

    pre_save.connect(be_faster, sender=PrivilegedUser)
    try:
        response = browser.post(address, {**form, "department": "Sales"}, follow=True)
    finally:
        pre_save.disconnect(be_faster, sender=PrivilegedUser)

    assert response.status_code == 200
    assert told(response) == [STALE]
    assert stored(user)["department"] != "Sales"


def test_a_deletion_that_comes_too_late_is_a_message(browser: Client) -> None:
    user = make(PrivilegedUser)

    def be_faster(**_: Any) -> None:
        PrivilegedUser.objects.filter(pk=user.pk).update(department="Audit")

    pre_save.connect(be_faster, sender=PrivilegedUser)
    try:
        response = browser.post(url(PrivilegedUser, "delete", user), {"post": "yes"}, follow=True)
    finally:
        pre_save.disconnect(be_faster, sender=PrivilegedUser)

    assert told(response) == [STALE]
    assert not stored(user)["is_deleted"]


def test_a_name_taken_between_the_look_and_the_save_is_a_message(browser: Client) -> None:
    role = make(DirectoryRole)
    first = make(RoleAssignment, directory_role=role, is_active=False)
    address = url(RoleAssignment, "change", first)
    form = open_form(browser, address)

    def be_faster(instance: RoleAssignment, **_: Any) -> None:
        if instance.pk == first.pk:
            make(RoleAssignment, directory_role=role, user=first.user)

    pre_save.connect(be_faster, sender=RoleAssignment)
    try:
        response = browser.post(address, {**form, "is_active": "on"}, follow=True)
    finally:
        pre_save.disconnect(be_faster, sender=RoleAssignment)

    assert "uq_role_assignments_active_user" in " ".join(told(response))
    first.refresh_from_db()
    assert not first.is_active
