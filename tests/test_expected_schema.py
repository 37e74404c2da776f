"""The file that `pam_status` compares with says what the migrations make, on the PostgreSQL under test."""

from django.core.management import call_command

from pam.health.expected import FILE, changes, expected
from tests.support.expected import as_text, made_by_each, parts_now


def test_the_file_is_what_the_migrations_make(database):
    made = made_by_each(database)
    assert as_text(made) == FILE.read_text(encoding="utf-8"), "write it anew: python -m tests.support.expected"


def test_it_is_that_whichever_phase_comes_first(database):
    call_command("migrate", "pam", "0013_phase3_extended_statistics", database=database, verbosity=0)
    call_command("migrate", "pam", database=database, verbosity=0)
    assert parts_now(database) == expected(changes())
