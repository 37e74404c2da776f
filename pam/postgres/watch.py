"""Watches an index build from a second connection: how far it is, and for whom it waits."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from logging import getLogger
from typing import Never

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from tqdm import tqdm

from pam.postgres import activity

logger = getLogger("pam.migrations")

INTERVAL_SECONDS = 0.2
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {unit} [{elapsed}<{remaining}]"


@contextmanager
def watched_build(connection: BaseDatabaseWrapper, index: str) -> Iterator[None]:
    """While the block builds `index`: a progress bar at a terminal, and a line for each session in the way.

    The watcher asks in short statements of its own, so that the build never waits for it. It takes no lock. A watcher
    that cannot ask says so once and leaves the build alone.
    """
    pid = activity.backend_pid(connection)
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(connection.alias, pid, index, done), name=f"watch {index}")
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(alias: str, pid: int, index: str, done: threading.Event) -> None:
    # Connections are per thread, so this is one of the watcher's own; it is opened if the build lasts so long.
    own = connections[alias]
    told: set[int] = set()
    bar: tqdm[Never] = tqdm(disable=not sys.stderr.isatty(), leave=False, delay=sys.maxsize, bar_format=BAR)
    try:
        while not done.wait(INTERVAL_SECONDS):
            _show(bar, index, activity.build_progress(own, pid))
            for session in activity.blocking(own, pid):
                if session.pid not in told:
                    told.add(session.pid)
                    bar.clear()
                    logger.warning("%s waits for an older transaction: %s", index, session)
    except Error as error:
        logger.warning("%s: its progress cannot be shown: no second connection (%s)", index, type(error).__name__)
    finally:
        bar.clear()
        bar.close()
        own.close()


def _show(bar: "tqdm[Never]", index: str, progress: activity.BuildProgress | None) -> None:
    """Draw the bar; each phase of a build counts from the beginning, in a unit of its own."""
    if bar.disable or progress is None or not progress.total:
        return
    description = f"{index} ({progress.phase})"
    bar.unit = progress.unit
    if bar.desc != description:
        bar.set_description_str(description, refresh=False)
        bar.reset(progress.total)
    bar.total, bar.n = progress.total, progress.done
    bar.refresh()
