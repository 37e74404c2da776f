"""Several workers, each with a connection of its own, and a main thread that a Ctrl-C reaches."""

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from itertools import groupby
from typing import TypeVar

from django.conf import settings
from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres.errors import UNIQUE_VIOLATION, sqlstate
from pam.postgres.locks import HOUR_MS, timeouts
from pam.postgres.long_statement import cancel_until_done, interrupts_held_back
from pam.postgres.online_copy.shared_build import Turns
from pam.postgres.online_copy.step import Step

Job = TypeVar("Job")

LOOK_SECONDS = 0.2
# How long a worker may go on with what it is at after Ctrl-C: long enough for a chunk of rows, not for an index.
END_SECONDS = 2.0
# Of a worker's thread: `sessions`, those of all workers that the main thread waits for.
_worker = threading.local()
# A table, a primary key, a constraint or trigger that is there; and a name, in the catalog's unique index.
THERE_ALREADY = ("42P07", "42P16", "42710", UNIQUE_VIOLATION)


def in_parallel(
    alias: str,
    workers: int,
    jobs: Iterable[Job],
    work: Callable[[BaseDatabaseWrapper, Job], int],
    told: Callable[[int], None],
    may_begin: Callable[[BaseDatabaseWrapper, Job, threading.Event], bool] = lambda own, job, stop: not stop.is_set(),
) -> None:
    """Do `work` for each job, at most `workers` at once; `told` hears on the main thread what each returned.

    Before each job a worker asks `may_begin`, which may wait, and returns False once the event given to it is set.

    The first failure ends the others after the job they are at, and is raised. So does a KeyboardInterrupt, but a job
    that does not end soon is cancelled on the server.
    """
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    done: queue.SimpleQueue[int] = queue.SimpleQueue()
    stop = threading.Event()
    # A job may have workers of its own: the signal comes to the main thread, which waits for all of them.
    sessions: list[BaseDatabaseWrapper] = getattr(_worker, "sessions", [])

    def loop() -> None:
        own = connections[alias]
        _worker.sessions = sessions
        sessions.append(own)
        try:
            # The tables are ours alone; a step that wants one for itself has less patience than this.
            with timeouts(own, lock_ms=HOUR_MS):
                while not stop.is_set():
                    try:
                        job = waiting.get_nowait()
                    except queue.Empty:
                        return
                    if may_begin(own, job, stop):
                        done.put(work(own, job))
        finally:
            own.close()

    with ThreadPoolExecutor(workers, thread_name_prefix="copy") as pool:
        futures: list[Future[None]] = []
        try:
            with interrupts_held_back():
                futures += [pool.submit(loop) for _ in range(min(workers, waiting.qsize()))]
            _until_done(futures, done, told)
        except BaseException as reason:
            stop.set()
            # After Ctrl-C a chunk may end. Who presses it again, or after a failure, does not want to wait for that.
            with suppress(KeyboardInterrupt):
                wait(futures, timeout=END_SECONDS if isinstance(reason, KeyboardInterrupt) else None)
            cancel_until_done(futures, sessions)
            raise
    for future in futures:
        future.result()


def run(connection: BaseDatabaseWrapper, planned: Iterable[Step]) -> None:
    """Run steps as far as they are not done: in their order, but lanes that follow each other side by side.

    Behind a step that may have helpers of the server, other lanes begin when these have gone.
    """
    for in_lanes, group in groupby(planned, key=lambda step: bool(step.lane)):
        if in_lanes:
            _run_lanes(connection.alias, group)
        else:
            _run(connection, group)


def _run_lanes(alias: str, planned: Iterable[Step]) -> None:
    lanes: dict[str, list[Step]] = {}
    for step in planned:
        lanes.setdefault(step.lane, []).append(step)
    turns = Turns([*lanes.values()])

    def run_lane(own: BaseDatabaseWrapper, lane: list[Step]) -> int:
        with turns.taken(own, lane):
            return _run(own, lane)

    in_parallel(alias, settings.PAM_COPY_WORKERS, lanes.values(), run_lane, _nothing, turns.may_begin)


def _run(connection: BaseDatabaseWrapper, planned: Iterable[Step]) -> int:
    done = 0
    for step in planned:
        if not step.is_done(connection):
            _do(connection, step)
            done += 1
    return done


def _do(connection: BaseDatabaseWrapper, step: Step) -> None:
    try:
        step.run(connection)
    except Error as error:
        # A run that was killed leaves its last statement to the server, which may have ended it meanwhile.
        if sqlstate(error) not in THERE_ALREADY or not step.is_done(connection):
            raise


def _nothing(_: int) -> None:
    """Who runs steps hears from each step itself."""


def _until_done(futures: "list[Future[None]]", done: "queue.SimpleQueue[int]", told: Callable[[int], None]) -> None:
    pending: set[Future[None]] = set(futures)
    while pending:
        finished, pending = wait(pending, timeout=LOOK_SECONDS, return_when=FIRST_EXCEPTION)
        while not done.empty():
            told(done.get())
        for future in finished:
            future.result()
