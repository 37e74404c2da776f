"""`pam_load` with many rows: its speed against a raw COPY, and the memory it takes."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from pam.company import load as loading
from pam.company.load import TABLES, Wish
from pam.company.profiles import PROFILES
from tests.support.company import UNTIL, fill, sums
from tests.support.databases import throwaway_database
from tests.support.manage import run, start
from tests.support.servers import server_under_alias


def copied(alias: str, table: str, file: Path, direction: str) -> None:
    """All columns but the generated ones, out to a file or in from it, as psql's copy would."""
    with connections[alias].cursor() as cursor, file.open("w" if direction == "TO STDOUT" else "r") as stream:
        cursor.execute(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
            [table],
        )
        (columns,) = cursor.fetchone()
        source = f"(SELECT {columns} FROM {table})" if direction == "TO STDOUT" else f"{table} ({columns})"
        cursor.copy_expert(f"COPY {source} {direction}", stream)


@pytest.mark.scale
def test_speed_against_a_raw_copy(migrated_template, migrated, tmp_path, capsys):
    wish = Wish(PROFILES["medium"], seed=7, months=12, until=UNTIL)
    began = time.perf_counter()
    fill(migrated, wish)
    loading.settle(migrated)
    ours = time.perf_counter() - began
    tables = ["directory_roles", *TABLES]
    for table in tables:
        copied(migrated, table, tmp_path / table, "TO STDOUT")
    with throwaway_database("raw", migrated_template) as raw:
        loading._make_months(raw, wish)
        began = time.perf_counter()
        for table in tables:
            copied(raw, table, tmp_path / table, "FROM STDIN")
        theirs = time.perf_counter() - began
        assert sums(raw) == sums(migrated)
    with capsys.disabled():
        print(f"\npam_load --profile medium, with VACUUM (ANALYZE): {theirs / ours:.2f} of the speed of a raw COPY")


def memory(process: "subprocess.Popen[str]") -> Iterator[float]:
    """The most memory that a process has had so far, in MB, as the kernel says: once a second until it ends."""
    while process.poll() is None:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        if found:
            yield int(found[1]) / 1024
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)


@pytest.mark.scale
def test_memory_does_not_grow(django_db_blocker: DjangoDbBlocker, capsys):
    """People and credentials are in memory, as many as the profile has; events are not, however many come.

    Into the tables of phase 1: the indexes of the later phases take the server's time, not the memory of this process.
    """
    with django_db_blocker.unblock(), server_under_alias({"max_wal_size": "8GB"}) as cluster:
        run(cluster, "migrate", "-v0", "pam", "0001")
        for seed, profile in enumerate(("medium", "large")):
            process = start(cluster, "pam_load", "--profile", profile, "--seed", str(seed), "--append")
            most = list(memory(process))
            output, _ = process.communicate()
            assert process.returncode == 0, output
            halfway, end = most[len(most) // 2], most[-1]
            with capsys.disabled():
                print(f"\npam_load --profile {profile}, most memory: {halfway:.0f} MB halfway, {end:.0f} MB at the end")
            assert end < 1.1 * halfway
