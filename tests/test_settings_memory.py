"""Advice on memory, from facts made by hand: of a query, of builds and vacuums, what may be cached."""

import pytest

from pam.health.advice import Status
from pam.health.settings import advise
from pam.postgres.server_counters import Largest
from tests.support.cases import (
    GB,
    MB,
    NAME,
    TB,
    advice,
    case,
    counters,
    server,
    spilling,
)


def test_work_mem_for_all_where_it_fits():
    (one,) = advice(case(asked=spilling(32 * MB)), "work_mem")
    assert (one.status, one.has, one.has_raw, one.wants) == (Status.CHANGE, "4096", "4096 x kB", "32MB")
    assert one.statements == ("ALTER SYSTEM SET work_mem = '32MB'",)
    assert one.takes_effect == "reload"
    assert "32MB x 1 sorts or hashes at once x 100 connections fit into the 16,256 MB" in one.reason
    assert "external merge, 9,416 kB" in one.reason


@pytest.mark.parametrize(
    ("memory", "connections", "takers"),
    [(16 * GB, "1000", 1), (16 * GB, "100", 30), (2 * GB, "100", 1), (None, "100", 1)],
)
def test_work_mem_for_the_session_where_it_does_not_fit_for_all(memory, connections, takers):
    found = case(memory, server=server(max_connections=connections), asked=spilling(32 * MB, takers=takers))
    general, one = advice(found, "work_mem")
    assert (general.status, general.statements) == (Status.OK, ())
    assert (one.subject, one.status, one.takes_effect) == (NAME, Status.CHANGE, "session")
    assert one.statements == ("SET work_mem = '32MB'",)
    assert "The investigator, often" in one.reason


def test_work_mem_that_cannot_end_the_spill():
    _, one = advice(case(asked=spilling(None)), "work_mem")
    assert (one.status, one.statements) == (Status.UNKNOWN, ())


def test_work_mem_that_does_not_fit_is_lowered():
    (one,) = advice(case(512 * MB), "work_mem")
    assert one.wants == "2MB"
    (one,) = advice(case(16 * GB, server=server(max_connections="10000")), "work_mem")
    assert one.wants == "1MB"
    (one,) = advice(case(512 * MB, server=server(max_connections="10000", work_mem="64")), "work_mem")
    assert one.statements == ()
    assert "Not even the least value does: fewer connections do" in one.reason


def test_one_connection_may_have_much():
    (one,) = advice(case(512 * MB, server=server(max_connections="1"), asked=spilling(256 * MB)), "work_mem")
    assert one.wants == "256MB"


def test_temporary_files_of_nobody_we_know():
    (one,) = advice(case(counters=counters(temp_files=7, temp_bytes=900 * MB)), "work_mem")
    assert "7 temporary files, 900 MB were seen in this database in 7.0 days; log_temp_files = 0" in one.reason


def test_without_the_memory_what_needs_it_is_left_out():
    names = {one.name for one in advise(case(None))}
    assert names.isdisjoint({"maintenance_work_mem", "effective_cache_size", "random_page_cost"})
    assert {"max_wal_size", "jit", "max_locks_per_transaction"} <= names


@pytest.mark.parametrize(
    ("memory", "index", "wants"),
    [
        (16 * GB, 40 * MB, None),
        (16 * GB, 300 * MB, "512MB"),
        (16 * GB, 300 * GB, "512MB"),
        (TB, 300 * GB, "32GB"),
        (512 * MB, 300 * MB, "16MB"),
    ],
)
def test_maintenance_work_mem(memory, index, wants):
    (one,) = advice(case(memory, counters=counters(largest_index=Largest("ix", index))), "maintenance_work_mem")
    assert one.wants == wants


@pytest.mark.parametrize(
    ("table_bytes", "maintenance", "processors", "wants"),
    [
        (7 * MB, 1048576, 8, None),
        (72 * MB, 1048576, 8, "3"),
        (24 * GB, 1048576, 8, "4"),
        (24 * GB, 1048576, 64, "8"),
        (24 * GB, 65536, 64, None),
    ],
)
def test_workers_of_a_build(table_bytes, maintenance, processors, wants):
    """8 MB are enough for one worker, three times as much for the next; each needs 32 MB of memory."""
    found = case(
        processors=processors,
        server=server(maintenance_work_mem=str(maintenance)),
        counters=counters(largest_table=Largest("events", table_bytes)),
    )
    (one,) = advice(found, "max_parallel_maintenance_workers")
    assert one.wants == wants


def test_workers_where_the_processors_are_not_known():
    found = case(
        processors=None,
        server=server(maintenance_work_mem="1048576"),
        counters=counters(largest_table=Largest("events", 24 * GB)),
    )
    (one,) = advice(found, "max_parallel_maintenance_workers")
    assert (one.status, one.statements) == (Status.UNKNOWN, ())


@pytest.mark.parametrize(
    ("memory", "database", "wants"),
    [(16 * GB, 3 * GB, None), (16 * GB, 100 * GB, "12GB"), (TB, 100 * GB, "768GB"), (2 * GB, 100 * GB, "1536MB")],
)
def test_effective_cache_size(memory, database, wants):
    (one,) = advice(case(memory, counters=counters(database_bytes=database)), "effective_cache_size")
    assert one.wants == wants
