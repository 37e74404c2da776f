"""Actors on threads of their own, whose failures reach the test and whose connections are closed."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from django.db import connections

T = TypeVar("T")

PATIENCE_SECONDS = 60


@contextmanager
def actor(work: Callable[[], T]) -> Iterator["Future[T]"]:
    """Run `work` on a thread; at the end of the block wait for it and raise what it raised, unless the test asked."""

    def with_connections_closed() -> T:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(with_connections_closed)
        yield future
        future.exception(PATIENCE_SECONDS)
    if not getattr(future, "asked", False):
        future.result()


def failure_of(future: "Future[T]") -> BaseException:
    """The exception the actor ended with; the test has asked, so that `actor` does not raise it again."""
    error = future.exception(PATIENCE_SECONDS)
    assert error is not None, "the actor was to fail and did not"
    future.asked = True  # type: ignore[attr-defined]
    return error


def until(condition: Callable[[], T], what: str) -> T:
    """Ask until `condition` holds, and return its value; fail when it does not within a minute."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if value := condition():
            return value
        threading.Event().wait(0.01)
    raise AssertionError(f"never happened: {what}")


@contextmanager
def writers(count: int, step: Callable[[int, int], None]) -> Iterator[list[int]]:
    """`count` threads that call `step(writer, number)` until the block ends; yields how many steps each has done.

    All have done one step before the block begins, and one more after the block's work.
    """
    done = [0] * count
    stop = threading.Event()

    def write(writer: int) -> None:
        try:
            while not stop.is_set():
                step(writer, done[writer])
                done[writer] += 1
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(write, writer) for writer in range(count)]
        try:
            _until_each_moved(futures, done, [0] * count)
            yield done
            _until_each_moved(futures, done, list(done))
        finally:
            stop.set()
    for future in futures:
        future.result()


def _until_each_moved(futures: "list[Future[None]]", done: list[int], before: list[int]) -> None:
    def moved() -> bool:
        for future in futures:
            if future.done():
                future.result()
        return all(now > then for now, then in zip(done, before, strict=True))

    until(moved, "each writer makes a step")
