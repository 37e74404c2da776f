"""A disk that is full in the middle of the copy: nothing is lost, and with room again it goes on."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.db.backends.signals import connection_created

from pam.postgres.errors import MenshunError
from pam.postgres.online_copy.errors import ObstaclesFound
from tests.support.bulk import add_audit_rows
from tests.support.clients import Client, checksums
from tests.support.databases import database_name
from tests.support.months import left_over, partitions

ROWS = 5000
BEFORE = "2027-01-01"


def maintain(statement: str) -> None:
    with connections["default"]._nodb_cursor() as cursor:
        cursor.execute(statement)


def server_folder() -> str:
    with connections["default"]._nodb_cursor() as cursor:
        cursor.execute("SHOW data_directory")
        return str(cursor.fetchone()[0])


@pytest.fixture
def disk(phase2: str) -> Iterator[Path]:
    """A small disk of its own, on which the database with some rows lies."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    Client(phase2, "seed").step(0)
    add_audit_rows(phase2, ROWS)
    connections[phase2].close()
    owner = Path(server_folder()).stat()
    folder = Path(tempfile.mkdtemp(prefix="menshun-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size=150m,mode=700,uid={owner.st_uid},gid={owner.st_gid}"]
    subprocess.run([*mount, "small", str(folder)], check=True)
    try:
        maintain(f"CREATE TABLESPACE small LOCATION '{folder}'")
        maintain(f'ALTER DATABASE "{database_name(phase2)}" SET TABLESPACE small')
        yield folder
        connections[phase2].close()
        maintain(f'ALTER DATABASE "{database_name(phase2)}" SET TABLESPACE pg_default')
        maintain("DROP TABLESPACE small")
    finally:
        unmount = ["umount", "--lazy", str(folder)]
        subprocess.run(unmount, check=True)
        folder.rmdir()


def fill(disk: Path) -> None:
    """Somebody else's file takes all that is left."""
    with (disk / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free)


def test_too_little_room_is_seen_beforehand(phase2, disk):
    fill(disk)
    with pytest.raises(ObstaclesFound, match=r"It needs .* of disk, and 0\sbytes are free"):
        call_command("migrate", "pam", database=phase2, verbosity=0)
    (disk / "filler").unlink()


def test_a_disk_that_fills_in_the_copy(phase2, disk):
    before = checksums(phase2, BEFORE)

    def filling(execute: Any, statement: Any, params: Any, many: bool, context: Any) -> Any:
        text = statement if isinstance(statement, str) else statement.as_string(context["connection"].connection)
        if text.startswith('INSERT INTO "public"."audit_logs_menshun_stage"') and not (disk / "filler").exists():
            fill(disk)
        return execute(statement, params, many, context)

    def watched(connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(filling)

    connection_created.connect(watched)
    try:
        with pytest.raises(MenshunError, match=r"No space left on device(?s:.)* What is copied is kept"):
            call_command("migrate", "pam", database=phase2, verbosity=0)
    finally:
        connection_created.disconnect(watched)
    assert partitions(phase2, "audit_logs") == {}
    assert checksums(phase2, BEFORE) == before
    (disk / "filler").unlink()
    connections[phase2].close()
    call_command("migrate", "pam", database=phase2, verbosity=0)
    assert partitions(phase2, "audit_logs") != {}
    assert checksums(phase2, BEFORE) == before
    assert left_over(phase2) == []
