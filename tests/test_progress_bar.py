"""At a terminal `migrate` shows how far an index is; the bar is wiped away before the line that says it is built."""

import errno
import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.support.bulk import add_audit_rows
from tests.support.cluster import Cluster
from tests.support.manage import run, start
from tests.support.servers import ALIAS, server_under_alias

GIN = "ix_audit_logs_search_gin"
ROWS = 60_000


@pytest.fixture
def slow_cluster(django_db_blocker: DjangoDbBlocker) -> Iterator[Cluster]:
    """A server with so little memory that the build of this many rows takes seconds."""
    with django_db_blocker.unblock(), server_under_alias({"maintenance_work_mem": "1MB"}) as cluster:
        run(cluster, "migrate", "pam", "0003_phase2_trigram_extension")
        add_audit_rows(ALIAS, ROWS)
        yield cluster


@pytest.mark.once
def test_at_a_terminal(slow_cluster):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = start(slow_cluster, "migrate", "pam", "0004", stderr=theirs)
    os.close(theirs)
    shown = read_to_end(ours)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    drawn, _, rest = shown.partition(f"{GIN} on public.audit_logs: built in ")
    assert rest
    bars = re.findall(rf"{GIN} \(([a-z :]+)\): +\d+%\|[^|]*\| \d+/\d+ (\w+) \[", drawn)
    # PostgreSQL 18 also says what it does within this phase.
    assert [unit for phase, unit in bars if phase.startswith("building index")][:1] == ["blocks"], shown
    assert drawn.rsplit("\r", 1)[-1].strip() == "", "the bar is gone before the line is written"


def read_to_end(terminal: int) -> str:
    """All that is written to a pseudo-terminal; its end is an error on Linux, and no text elsewhere."""
    text = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            part = b""
        if not part:
            os.close(terminal)
            return text.decode()
        text += part
