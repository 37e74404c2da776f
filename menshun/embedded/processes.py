"""Which processes of the machine are the server of a data folder; a process number alone proves nothing."""
# psutil has no type annotations.
# mypy: disable-error-code=no-untyped-call

import contextlib
import signal
from pathlib import Path

import psutil

# An orphan dies at once on SIGQUIT; one that waits for a disk may need longer.
ORPHAN_SECONDS = 30


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


def end_orphans(data: Path) -> None:
    """End what a killed server left behind: a backend in the middle of a long query would hinder the next start.

    SIGQUIT is what the server itself would have sent.
    """
    orphans = [process for process in psutil.process_iter() if _is_postgres_of(process, data)]
    for process in orphans:
        with contextlib.suppress(psutil.NoSuchProcess):  # it is gone by itself: so much the better
            process.send_signal(signal.SIGQUIT)
    psutil.wait_procs(orphans, timeout=ORPHAN_SECONDS)


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
        try:
            # Server and backends work in their data folder, wherever that was moved and also when it was removed.
            return process.cwd() in (str(data), f"{data} (deleted)")
        except psutil.AccessDenied:
            # Root in a container may not ask that; the server's own command line names the folder too.
            return str(data) in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().split("\n")[:-1]
    except FileNotFoundError:
        return []
