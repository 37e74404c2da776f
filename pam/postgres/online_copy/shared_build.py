"""Lanes behind an index that all workers build together: they begin when the server's helpers are no longer at it.

At the end the leader is alone: it merges what all have sorted, for a tenth of the build of a GIN index. The other
workers would rest meanwhile.
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
        self.over = threading.Event()
        self._was_helped = False

    def has_room(self, own: BaseDatabaseWrapper) -> bool:
        """Whether it is over, or its helpers were seen and have gone. Where none is seen it is waited for."""
        leader = self.leader
        if self.over.is_set() or leader is None:
            return self.over.is_set()
        if activity.helpers(own, leader):
            self._was_helped = True
            return False
        # Who has failed meanwhile leads no more.
        return self._was_helped and self.leader is not None


class Turns:
    """When each of several lanes may begin, in their order; helpers are those of a lane's first step."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._numbers = {lane[0].lane: number for number, lane in enumerate(lanes)}
        self.builds = {number: SharedBuild() for number, lane in enumerate(lanes) if lane[0].helpers}

    def may_begin(self, own: BaseDatabaseWrapper, lane: Lane, stop: threading.Event) -> bool:
        """Wait until no lane before this one has helpers; False if `stop` is set meanwhile."""
        number = self._numbers[lane[0].lane]
        for build in (build for other, build in self.builds.items() if other < number):
            while not (stop.is_set() or build.has_room(own)):
                # A small index is over long before the next look.
                build.over.wait(LOOK_SECONDS)
        return not stop.is_set()

    @contextmanager
    def taken(self, own: BaseDatabaseWrapper, lane: Lane) -> Iterator[None]:
        """While the lane is run. Behind one that is known to have failed there is never room."""
        build = self.builds.get(self._numbers[lane[0].lane])
        if build is None:
            yield
            return
        build.leader = activity.backend_pid(own)
        try:
            yield
        except BaseException:
            build.leader = None
            raise
        build.over.set()
