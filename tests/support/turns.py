"""Things measured in turns, so that what else the machine does meets all of them alike."""

import gc
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from django.db import connections

K = TypeVar("K", bound=Hashable)


def medians(rounds: int, measures: Mapping[K, Callable[[], float]]) -> dict[K, float]:
    """The median of what each returns when all are called one after the other, so many times."""
    taken: dict[K, list[float]] = {name: [] for name in measures}
    # A collector that goes through all that is there already would stop one of them, and not the others.
    gc.collect()
    gc.freeze()
    try:
        for _ in range(rounds):
            for name, measure in measures.items():
                taken[name].append(measure())
    finally:
        gc.unfreeze()
    return {name: statistics.median(values) for name, values in taken.items()}


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def statement_seconds(alias: str, work: Callable[[], object]) -> float:
    """How long the statements of `work` take, with planning and the way to the server and back, but without Django."""
    taken: list[float] = []

    def watch(execute: Callable[..., Any], *arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            taken.append(time.perf_counter() - began)

    with connections[alias].execute_wrapper(watch):
        work()
    return sum(taken)
