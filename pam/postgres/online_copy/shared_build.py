"""Lanes behind an index that all workers build together: they begin when the server's helpers are no longer at it.

A GIN index is merged at the end by its leader alone, for a tenth of the time; the other workers would rest meanwhile.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres import activity
from pam.postgres.online_copy.step import Step

LOOK_SECONDS = 0.2

Lane = Sequence[Step]


class SharedBuild:
    """The build of one index with helpers, as those see it that wait for their turn."""

    def __init__(self) -> None:
        self.leader: int | None = None
        self.is_over = False
        self._was_helped = False

    def has_room(self, own: BaseDatabaseWrapper) -> bool:
        """Whether it is over, or its helpers have come and gone."""
        if self.is_over or self.leader is None:
            return self.is_over
        is_helped = activity.helpers(own, self.leader) > 0
        self._was_helped = self._was_helped or is_helped
        return self._was_helped and not is_helped


class Turns:
    """When each of several lanes may begin, in their order."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._numbers = {lane[0].lane: number for number, lane in enumerate(lanes)}
        self._builds = {number: SharedBuild() for number, lane in enumerate(lanes) if lane[0].helpers}

    def may_begin(self, own: BaseDatabaseWrapper, lane: Lane, stop: threading.Event) -> bool:
        """Wait until no lane before this one has helpers; False if `stop` is set meanwhile."""
        number = self._numbers[lane[0].lane]
        before = [build for other, build in self._builds.items() if other < number]
        while not (stop.is_set() or all(build.has_room(own) for build in before)):
            stop.wait(LOOK_SECONDS)
        return not stop.is_set()

    @contextmanager
    def taken(self, own: BaseDatabaseWrapper, lane: Lane) -> Iterator[None]:
        """While the lane is run. One that fails is never over: nobody begins behind it."""
        build = self._builds.get(self._numbers[lane[0].lane])
        if build:
            build.leader = activity.backend_pid(own)
        yield
        if build:
            build.is_over = True
