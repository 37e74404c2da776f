"""Ctrl-C in the middle of what the test itself does."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from tests.support.threads import actor, until


@contextmanager
def ctrl_c_when(condition: Callable[[], bool], what: str) -> Iterator["Future[float]"]:
    """Press Ctrl-C once `condition` holds, unless the block has ended; yields the monotonic time of it, to come."""
    ended = threading.Event()

    def press() -> float:
        until(lambda: condition() or ended.is_set(), what)
        at = time.monotonic()
        if not ended.is_set():
            os.kill(os.getpid(), signal.SIGINT)
        return at

    # Where the tests run in the background of a shell, it lets them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with actor(press) as pressing:
            try:
                yield pressing
            finally:
                ended.set()
    finally:
        signal.signal(signal.SIGINT, before)
