"""Which processes of the machine are the server of a data folder; a process number alone proves nothing."""
# psutil has no type annotations.
# mypy: disable-error-code=no-untyped-call

import contextlib
import signal
import time
from pathlib import Path

import psutil

# They die at once on SIGQUIT; one that waits for a disk may need longer.
LEFTOVER_SECONDS = 30
POLL_SECONDS = 0.02


def postmaster(data: Path) -> int | None:
    """The process id of the server that works on `data`, or None.

    After a kill -9 the file postmaster.pid stays behind, and its number may belong to anybody by now.
    """
    lines = _pid_file(data)
    process = _living(int(lines[0])) if lines and lines[0].isdigit() else None
    return process.pid if process is not None and _is_postgres_of(process, data) else None


def is_alive(pid: int) -> bool:
    """Whether the process still runs; one that has ended and that nobody has asked about does not."""
    return _living(pid) is not None


def is_ready(data: Path, pid: int) -> bool:
    """Whether the server `pid` on `data` accepts connections by now."""
    lines = _pid_file(data)
    return bool(lines) and lines[0] == str(pid) and lines[-1].strip() == "ready"


def end_leftovers(data: Path) -> None:
    """End what a killed server left behind: a backend in the middle of a long query would hinder the next start.

    SIGQUIT is what the server itself would have sent.
    """
    leftovers = [process for process in psutil.process_iter() if _is_left_behind(process, data)]
    for process in leftovers:
        with contextlib.suppress(psutil.NoSuchProcess):  # it is gone by itself: so much the better
            process.send_signal(signal.SIGQUIT)
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while any(is_alive(process.pid) for process in leftovers) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _living(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def _is_postgres_of(process: psutil.Process, data: Path) -> bool:
    try:
        if process.name() != "postgres":
            return False
        folder = _working_folder(process)
        if folder is None:
            return str(data) in process.cmdline()  # the server's; its backends show something else there
        # Server and backends work in their data folder, wherever that was moved and also when it was removed.
        return folder in (str(data), f"{data} (deleted)")
    except psutil.NoSuchProcess:
        return False


def _is_left_behind(process: psutil.Process, data: Path) -> bool:
    return _is_postgres_of(process, data) or _is_nameless_orphan(process, data.stat().st_uid)


def _is_nameless_orphan(process: psutil.Process, uid: int) -> bool:
    """Whether it is a backend, run by `uid`, whose server is gone and, to us, unknown."""
    try:
        if process.name() != "postgres" or process.uids().effective != uid or _working_folder(process) is not None:
            return False
        parent = process.parent()
        is_backend = "".join(process.cmdline()).startswith("postgres:")
        return is_backend and (parent is None or parent.name() != "postgres")
    except psutil.NoSuchProcess:
        return False


def _working_folder(process: psutil.Process) -> str | None:
    """Where the process works, or None: root in a container may not ask that about other users' processes."""
    try:
        return str(process.cwd())
    except psutil.AccessDenied:
        return None


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().split("\n")[:-1]
    except FileNotFoundError:
        return []
