"""Search: what people type finds what they mean, by a condition that a trigram index can serve."""

import pytest

from pam.errors import TooFewLettersError, TooManyWordsError
from pam.models import AuditLog, Credential, DirectoryRole, PrivilegedUser, ServiceIdentity
from pam.querysets.search import MOST_WORDS
from tests.support.rows import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def roles() -> dict[str, DirectoryRole]:
    """Roles by a short name."""
    return {
        "reader": make(DirectoryRole, role_name="Security Reader", description="Reads reports, 100% read-only."),
        "admin": make(DirectoryRole, role_name="Security Administrator", description="Changes everything_at_once."),
        "bare": make(DirectoryRole, role_name="Global \\ Backslash", description=None),
    }


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("security", {"reader", "admin"}),
        ("SECURITY", {"reader", "admin"}),
        ("ecurit", {"reader", "admin"}),
        ("reports security", {"reader"}),
        ("  security \t reports\n", {"reader"}),
        ("security nonsense", set()),
        ("100%", {"reader"}),
        ("security %", {"reader"}),
        ("everything_at", {"admin"}),
        ("r_ports", set()),
        ("security _", {"admin"}),
        ("global \\", {"bare"}),
        ("'; -- security", set()),
        ("", {"reader", "admin", "bare"}),
        (" ", {"reader", "admin", "bare"}),
        ("secu\0rity", {"reader", "admin"}),
        ("\0", {"reader", "admin", "bare"}),
    ],
)
def test_each_word_must_occur_somewhere(roles: dict[str, DirectoryRole], text: str, names: set[str]) -> None:
    assert set(DirectoryRole.objects.search(text)) == {roles[name] for name in names}


def test_more_words_than_a_search_may_have_are_refused(roles: dict[str, DirectoryRole]) -> None:
    assert set(DirectoryRole.objects.search("reader " * MOST_WORDS)) == {roles["reader"]}

    with pytest.raises(TooManyWordsError, match=f"{MOST_WORDS + 1} words; at most {MOST_WORDS} "):
        DirectoryRole.objects.search("reader " * MOST_WORDS + "security")
    with pytest.raises(ValueError, match="fewer words"):
        DirectoryRole.objects.search("reader\0" * (MOST_WORDS + 1))


@pytest.mark.parametrize("text", ["%", "_", "se", "'; --", "se cu ri ty", "a.b", "\u202e"])
def test_words_too_short_for_a_trigram_are_refused(text: str) -> None:
    with pytest.raises(TooFewLettersError, match="Search again with one longer word"):
        DirectoryRole.objects.search(text)


@pytest.mark.parametrize("text", ["192.0.2.7", "a.b.c", "10.1"])
def test_what_stands_between_letters_does_not_count(text: str) -> None:
    """An index finds these by their ends, where a trigram has blanks."""
    right = make(AuditLog, description=f"from {text} to")
    make(AuditLog, description="from elsewhere")

    assert set(AuditLog.objects.search(text)) == {right}


def test_every_searchable_table_is_searched_in_its_own_columns() -> None:
    user = make(PrivilegedUser, display_name="Zoe Needle")
    mail = make(PrivilegedUser, email="needle@contoso.example")
    identity = make(ServiceIdentity, description="for the needle")
    credential = make(Credential, name="needle key")
    event = make(AuditLog, details="found a needle")

    assert set(PrivilegedUser.objects.search("needle")) == {user, mail}
    assert set(ServiceIdentity.objects.search("needle")) == {identity}
    assert set(Credential.objects.search("needle")) == {credential}
    assert set(AuditLog.objects.search("needle")) == {event}


def test_search_leaves_deleted_rows_out_unless_asked_for() -> None:
    gone = make(ServiceIdentity, name="needle")
    gone.soft_delete()

    assert not ServiceIdentity.objects.search("needle").exists()
    assert ServiceIdentity.all_objects.search("needle").exists()


def test_the_condition_is_ilike_on_the_bare_column() -> None:
    statement = str(AuditLog.objects.search("150%").query)

    assert '"audit_logs"."description" ILIKE %150\\%%' in statement
    assert "UPPER" not in statement
    assert "::" not in statement.split("WHERE")[1]


def test_the_lookup_reaches_upn_columns_too() -> None:
    user = make(PrivilegedUser, upn="Adm-Zoe@contoso.example")

    assert PrivilegedUser.objects.get(upn__ilike="ADM-Z") == user
