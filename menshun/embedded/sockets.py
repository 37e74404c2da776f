"""Where a server's socket lives. Settings name this folder as HOST, so it follows from the path alone."""

import hashlib
import os
import stat
from pathlib import Path

from menshun.embedded.account import Account, name_of
from pam.postgres.errors import MenshunError

PORT = 5432  # a socket's name holds a port, though nothing listens there
SOCKET_NAME = f".s.PGSQL.{PORT}"

# The kernel's limit is 107 bytes on Linux and 103 on macOS.
LONGEST_SOCKET_PATH = 100

# Not the environment's TMPDIR: two terminals that differ in it would not find the same server.
SHORT_PARENT = Path("/tmp")  # noqa: S108


def socket_folder(folder: Path) -> Path:
    """The folder of the socket of the server that lives in `folder`: that one, or a short one if its path will not do.

    A comma separates several folders or hosts, for the server and for its clients; a double quote quotes them.
    """
    path = os.fsencode(folder / SOCKET_NAME)
    if len(path) <= LONGEST_SOCKET_PATH and not set(b',"') & set(path):
        return folder
    return SHORT_PARENT / f"menshun-{hashlib.sha256(path).hexdigest()[:16]}"


def make_private_folder(folder: Path, account: Account) -> None:
    """Make `folder`, for `account` alone; refuse one that somebody else has put there.

    Whoever can open the socket is superuser of the database: the folder's mode is what keeps others out.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        if os.geteuid() == 0:
            os.chown(folder, account.uid, account.gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (account.uid, os.geteuid()):
        raise MenshunError(
            f"'{folder}' belongs to {name_of(found.st_uid)}, so the embedded server cannot have its socket there. "
            f"Run menshun as {name_of(found.st_uid)}, or remove it: sudo rm -r '{folder}'"
        )
    os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)
