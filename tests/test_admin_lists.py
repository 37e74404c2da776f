"""Lists are led to few rows: by three letters, by time, by an order that an index has; and are given up in time."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import Group, User
from django.db import connection, models, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pam.admin import bounded, table
from pam.admin.paginator import CappedPaginator
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
from pam.postgres.locks import statement_limit
from pam.querysets import search
from tests.support.admin import found, sign_in, told, url
from tests.support.databases import session
from tests.support.rows import make

pytestmark = pytest.mark.django_db

TABLES: list[Any] = [
    PrivilegedUser,
    DirectoryRole,
    ServiceIdentity,
    Credential,
    CredentialRotation,
    RoleAssignment,
    Session,
    AuditLog,
]


@pytest.fixture
def browser() -> Client:
    return sign_in()


@pytest.mark.parametrize("model", TABLES)
def test_a_search_of_two_letters_says_what_it_needs(browser: Client, model: type[models.Model]) -> None:
    make(model)

    with CaptureQueriesContext(connection) as captured:
        response = browser.get(url(model, "changelist"), {"q": "ab"})

    assert response.context["cl"].result_count == 0
    assert told(response) == ["Nothing was searched: at least one word of 3 letters or digits, please."]
    assert not [query for query in captured if "ILIKE" in query["sql"]]
    assert table.SEARCH_RULE in response.content.decode()


def test_autocomplete_offers_nothing_for_two_letters_and_keeps_quiet(browser: Client) -> None:
    make(PrivilegedUser, display_name="Ab Abel")
    asked = {"app_label": "pam", "model_name": "session", "field_name": "user", "term": "ab"}

    assert browser.get("/admin/autocomplete/", asked).json()["results"] == []
    assert told(browser.get("/admin/")) == []
    assert browser.get("/admin/autocomplete/", {**asked, "term": "abe"}).json()["results"] != []


def test_a_form_says_what_its_autocomplete_needs(browser: Client) -> None:
    assert "at least one word of 3 letters" in browser.get(url(Credential, "add")).content.decode()


def test_a_short_word_beside_a_long_one_narrows_it_down(browser: Client) -> None:
    right = make(Session, user=make(PrivilegedUser, display_name="Ann Li"))
    make(Session, user=make(PrivilegedUser, display_name="Ann Other"))

    assert found(browser, Session, q="li ann") == [right]


def test_a_word_of_too_many_rows_is_found_all_the_same(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_KEYS", 1)
    role = make(DirectoryRole, role_name="Security Reader")
    rows = {make(RoleAssignment, directory_role=role, user=make(PrivilegedUser, display_name="Ann")) for _ in range(2)}
    make(RoleAssignment, user=make(PrivilegedUser, upn="bob@contoso.example", display_name="Bob"))

    assert set(found(browser, RoleAssignment, q="ann reader")) == rows


def test_a_list_is_sorted_by_nothing_that_it_does_not_offer(browser: Client) -> None:
    columns = admin.site.get_model_admin(PrivilegedUser).get_list_display(None)  # type: ignore[arg-type]
    number = list(columns).index("last_sign_in") + 1
    for address, wanted in ((f"?o=-{number}", "upn"), ("?o=-2", "display_name")):
        ordered = browser.get(url(PrivilegedUser, "changelist") + address).context["cl"].queryset.query.order_by
        assert ordered[0].lstrip("-") in (wanted, "pk")
        assert not {"last_sign_in", "-last_sign_in"} & set(ordered)


def test_a_question_has_its_own_order(browser: Client) -> None:
    now = timezone.now()
    late, early = (
        make(ServiceIdentity, name=name, created_at=now - timedelta(days=9), expires_at=now - timedelta(days=days))
        for name, days in (("a", 1), ("b", 2))
    )

    response = browser.get(url(ServiceIdentity, "changelist"), {"question": "expired"})

    assert list(response.context["cl"].result_list) == [early, late]
    assert found(browser, ServiceIdentity) == [late, early], "by name"
    assert found(browser, ServiceIdentity, question="expired", o="1") == [late, early], "as somebody wants it"


@pytest.mark.parametrize(("parameters", "gathers"), [({}, "off"), ({"q": "somebody"}, "on"), ({"o": "1"}, "off")])
def test_a_question_is_read_along_its_index_unless_trigrams_find_it(
    browser: Client, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, str], gathers: str
) -> None:
    now = timezone.now()
    make(ServiceIdentity, name="somebody", created_at=now - timedelta(days=9), expires_at=now)
    seen = []
    read = CappedPaginator._read

    def watched(self: CappedPaginator, number: int) -> tuple[list[Any], bool]:
        seen.append(setting("enable_bitmapscan"))
        return read(self, number)

    monkeypatch.setattr(CappedPaginator, "_read", watched)

    assert len(found(browser, ServiceIdentity, question="expired", **parameters)) == 1
    assert seen == [gathers]
    assert setting("enable_bitmapscan") == "on"


def test_a_list_that_takes_too_long_says_what_to_do(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "LIST_MS", 100)
    with session("default") as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        response = browser.get(url(Session, "changelist"), {"q": "somebody"} | {"question": "active"})
        cursor.execute("ROLLBACK")

    assert response.status_code == 400
    page = response.content.decode()
    assert "choose a month or a day first" in page
    assert "search for a longer word" in page
    assert found(browser, Session) == [], "and the next page is shown"


def setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        (value,) = cursor.fetchone()
    return str(value)


def timeout() -> str:
    return setting("statement_timeout")


def test_the_limit_ends_with_its_block_and_never_rises_above_the_sessions() -> None:
    before = timeout()
    with statement_limit(connection, 10_000):
        assert timeout() == "10s"
        with statement_limit(connection, 60_000):
            assert timeout() == "10s"
        assert timeout() == "10s"
    assert timeout() == before

    def fails() -> None:
        with statement_limit(connection, 10_000):
            raise IncorrectLookupParameters

    with transaction.atomic(), pytest.raises(IncorrectLookupParameters):
        fails()
    assert timeout() == before


WRONG = (
    "timestamp__year=0",
    "timestamp__iso_year=99999",
    "description__regex=(",
    "description__unaccent=x",
    "description__range=x",
    "source_ip=999",
    "source_ip__in=192.0.2.7,x",
    "compliance_frameworks__999999999999=x",
)


@pytest.mark.parametrize("query", WRONG)
def test_a_filter_that_only_the_database_finds_wrong_is_told_and_exports_nothing(browser: Client, query: str) -> None:
    make(AuditLog)
    page = browser.get(f"{url(AuditLog, 'changelist')}?{query}")
    assert (page.status_code, page["Location"]) == (302, f"{url(AuditLog, 'changelist')}?e=1")
    assert browser.get(page["Location"]).status_code == 200
    refused = browser.post(f"/admin/pam/auditlog/export/?{query}", {"format": "csv"})
    assert told(browser.get("/admin/")) == ["Nothing was exported: the address holds a filter that cannot be read."]
    assert refused.status_code == 302
    assert AuditLog.objects.count() == 1, "no event of an export that was none"


@pytest.mark.parametrize("model", [*TABLES, User, Group])
def test_a_function_that_the_database_has_not_is_a_wrong_filter(browser: Client, model: type[models.Model]) -> None:
    texts = [field.name for field in model._meta.fields if isinstance(field, models.CharField)]
    address = f"{url(model, 'changelist')}?{next(name for name in texts if name != 'password')}__unaccent=x"
    page = browser.get(address)
    assert (page.status_code, page["Location"]) == (302, f"{url(model, 'changelist')}?e=1")
    assert browser.get(page["Location"]).status_code == 200


@pytest.mark.parametrize("model", [PrivilegedUser, User])
def test_what_is_sent_to_a_list_with_such_a_filter_is_refused(
    browser: Client, model: type[models.Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = make(PrivilegedUser) if model is PrivilegedUser else User.objects.get()
    get_queryset = bounded.BoundedList.get_queryset

    def asked_at_once(*arguments: Any, **options: Any) -> Any:
        # The test is one transaction, which goes on.
        with transaction.atomic():
            rows = get_queryset(*arguments, **options)
            len(rows)
        return rows

    monkeypatch.setattr(bounded.BoundedList, "get_queryset", asked_at_once)
    text = "upn" if model is PrivilegedUser else "username"
    address = f"{url(model, 'changelist')}?{text}__unaccent=x"
    sent = browser.post(address, {"action": "delete_selected", ACTION_CHECKBOX_NAME: str(row.pk), "post": "yes"})
    assert (sent.status_code, sent.headers.get("Location")) == (302, address)
    assert told(browser.get("/admin/"))[0].startswith("The database refused this, and nothing was changed: function")
    assert model._base_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize(
    "query", ["last_login__year=0", "date_joined__year__gt=99999", "username__regex=(", "id__range=1"]
)
def test_a_wrong_filter_of_the_accounts_is_told_like_others(browser: Client, query: str) -> None:
    page = browser.get(f"{url(User, 'changelist')}?{query}")
    assert (page.status_code, page["Location"]) == (302, f"{url(User, 'changelist')}?e=1")


def test_json_that_python_cannot_read_hides_no_list(browser: Client) -> None:
    user = make(PrivilegedUser)
    make(RoleAssignment, user=user)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE privileged_users SET metadata = '{\"a\": 1e5000}'")
    for model in (PrivilegedUser, RoleAssignment):
        page = browser.get(url(model, "changelist"))
        assert (page.status_code, str(user) in page.content.decode()) == (200, True), model
