"""The server of a test run that names no other: an embedded one of its own, not the developer's.

It lives in memory where the system has room there. A test begins with a new database, and so with 700 new
files: a hundredth of a second there, half a second on a slow disk.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from menshun.embedded.server import server_in
from menshun.embedded.sockets import socket_folder

MEMORY = Path("/dev/shm")  # noqa: S108
# Bytes. The tests take a tenth of it, their proofs at size a half; a container may have as little as 64 MB there.
ROOM = 4 << 30


@contextmanager
def own_server(settings: dict[str, Any]) -> Iterator[None]:
    """Let the settings of a database name a new embedded server; it and its files are gone after the block."""
    has_room = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    folder = Path(tempfile.mkdtemp(prefix="menshun-", dir=MEMORY if has_room else None))
    settings.update(EMBEDDED_SERVER=folder, HOST=str(socket_folder(folder)))
    try:
        yield
    finally:
        server_in(folder).stop()
        shutil.rmtree(folder)
