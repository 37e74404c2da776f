"""Advice on settings, from facts made by hand: limits, units, and what is said where facts are missing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pam.health.advice import Asked, Status
from pam.health.settings import NAMES, advise, dangers
from pam.postgres.server_counters import Largest
from pam.postgres.server_settings import parse_size, readable
from pam.workload import QUERIES
from tests.support.cases import (
    GB,
    MB,
    NAME,
    SETTINGS,
    TB,
    WELL,
    advice,
    case,
    counters,
    leaf,
    server,
    setting,
    spilling,
    table,
)

pytestmark = pytest.mark.once

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_where_all_is_well_nothing_is_advised():
    """A database smaller than the memory has cheap random pages; that is said until it is set."""
    well = case(server=server(random_page_cost="1.1"))
    assert {one.status for one in advise(well)} == {Status.OK}
    assert dangers(well) == []
    assert set(SETTINGS) == set(NAMES)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0"), (8192, "8kB"), (1536 * MB, "1536MB"), (64 << 10, "64kB"), (16 * GB, "16GB"), (TB, "1TB"), (100, "100B")],
)
def test_sizes_are_written_as_show_does(size, text):
    assert readable(size) == text
    assert not size or parse_size(text) == size


@pytest.mark.parametrize("text", ["16", "GB", "0GB", "16 GB", "16gb", "-1GB", "1.5GB", "", "16GiB"])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="is no size"):
        parse_size(text)


def test_pages_are_of_8_kb():
    assert setting("effective_cache_size").bytes == 4 * GB
    assert setting("work_mem").bytes == 4 * MB
    assert setting("max_wal_size").bytes == GB
    with pytest.raises(ValueError, match="is no size; its unit is s"):
        _ = setting("checkpoint_timeout").unit_bytes


@pytest.mark.parametrize("memory", [512 * MB, 2 * GB, 16 * GB, TB, 1024 * TB])
@pytest.mark.parametrize("connections", ["1", "100", "10000"])
@pytest.mark.parametrize("work_mem", ["64", "4096", "2147483647"])
def test_no_size_beyond_what_the_server_takes(memory, connections, work_mem):
    """Whatever the machine: within the limits, in whole units, and followed once it is not advised again."""
    changed = server(max_connections=connections, work_mem=work_mem, maintenance_work_mem=work_mem)
    huge = counters(
        database_bytes=4 * TB,
        largest_index=Largest("ix", 3 * TB),
        largest_table=Largest("events", 3 * TB),
        checkpoints_requested=10_000,
        checkpoints_timed=0,
        wal_bytes=1 << 60,
    )
    found = case(memory, server=changed, counters=huge, asked=spilling(1 * TB, work_mem=64 << 10))
    wanted = {one.name: one for one in advise(found) if one.statements and one.takes_effect != "session"}
    settings = dict(changed.settings)
    for name, one in wanted.items():
        if name not in settings:
            continue
        its = settings[name]
        assert one.wants
        if its.unit:
            size = parse_size(one.wants)
            assert its.least_bytes <= size <= its.most_bytes
            assert size % its.unit_bytes == 0
            assert name == "max_wal_size" or size <= memory
            value = str(size // its.unit_bytes)
        else:
            value = one.wants
            assert its.minimum is not None
            assert its.maximum is not None
            assert its.minimum <= float(value) <= its.maximum
        settings[name] = replace(its, raw=value, shown=one.wants)
    again = replace(found, server=replace(changed, settings=settings), asked=(Asked(QUERIES[NAME], WELL),))
    assert [one for one in advise(again) if one.statements] == []


def test_random_page_cost_is_not_guessed_where_the_disk_decides():
    (one,) = advice(case(counters=counters(database_bytes=100 * GB)), "random_page_cost")
    assert (one.status, one.statements) == (Status.UNKNOWN, ())
    (one,) = advice(case(), "random_page_cost")
    assert one.statements == ("ALTER SYSTEM SET random_page_cost = '1.1'",)
    assert "99.0% were in shared_buffers" in one.reason


@pytest.mark.parametrize(
    ("timed", "requested", "age", "status"),
    [
        (0, 0, HOUR, Status.UNKNOWN),
        (0, 9, HOUR, Status.UNKNOWN),
        (0, 12, HOUR, Status.CHANGE),
        (2_000, 3, 7 * DAY, Status.OK),
        (2_000, 200, 7 * DAY, Status.OK),
        (1_000, 600, 7 * DAY, Status.CHANGE),
    ],
)
def test_max_wal_size(timed, requested, age, status):
    found = case(
        counters=counters(
            checkpoints_timed=timed,
            checkpoints_requested=requested,
            checkpoints_age=age,
            wal_age=age,
            wal_bytes=600 * GB,
        )
    )
    (one,) = advice(found, "max_wal_size")
    assert one.status is status
    assert ("less than a day" in one.reason) is (status is Status.CHANGE and age < DAY)


def test_the_wal_of_the_time_in_which_it_was_written_fast():
    """Of 7 days 6 were quiet: 1,728 checkpoints were due. In the other, 864 GB: 3 GB in five minutes, and 0.9 more."""
    found = case(
        counters=counters(
            checkpoints_timed=6 * 288,
            checkpoints_requested=800,
            checkpoints_age=7 * DAY,
            wal_age=7 * DAY,
            wal_bytes=864 * GB,
        )
    )
    (one,) = advice(found, "max_wal_size")
    assert one.wants == "6GB"


@pytest.mark.parametrize(("free", "wants"), [(100 * GB, "6GB"), (20 * GB, "4GB"), (3 * GB, None)])
def test_no_more_wal_than_the_disk_bears(free, wants):
    busy = counters(checkpoints_timed=6 * 288, checkpoints_requested=800, wal_bytes=864 * GB)
    (one,) = advice(case(counters=busy, disk_free=free), "max_wal_size")
    assert one.wants == wants
    assert f"(free: {free >> 20:,} MB)" in one.reason


def test_a_standby_makes_no_checkpoints_of_its_own():
    (one,) = advice(case(server=replace(server(), is_standby=True)), "max_wal_size")
    assert one.status is Status.UNKNOWN


def test_locks_of_many_partitions():
    """7 years of months with 15 indexes each: 84 x 16 for each of ten queries, 84 x 18 for a migration."""
    found = case(tables=(table(*[leaf(indexes=15)] * 84),), counters=counters(tables_to_dump=200))
    (one,) = advice(found, "max_locks_per_transaction")
    assert "10 such queries, a migration and pg_dump at once take 15,152; there is room for 6,400." in one.reason
    assert (one.wants, one.takes_effect) == ("192", "restart")
    assert dangers(found) == []


def test_locks_that_one_statement_alone_uses_up():
    found = case(tables=(table(*[leaf(indexes=15)] * 84),), server=server(max_connections="10"))
    (finding,) = dangers(found)
    assert (finding.id, finding.subject) == ("setting-locks-too-few", "max_locks_per_transaction")
    assert finding.cure == "ALTER SYSTEM SET max_locks_per_transaction = '320'; then restart the server"
    assert finding.evidence == "a migration takes 1,512 locks, and the server has room for 640"


@pytest.mark.parametrize(("has", "wants"), [("100", "500"), ("500", None), ("10000", None)])
def test_statistics_where_the_planner_guesses(has, wants):
    asked = (Asked(QUERIES[NAME], replace(WELL, planned_rows=5_000, actual_rows=3)),)
    (one,) = advice(case(server=server(default_statistics_target=has), asked=asked), "default_statistics_target")
    assert one.wants == wants
    assert "expected 5,000 rows, there were 3" in one.reason


@pytest.mark.parametrize(("jit_ms", "wants"), [(0, None), (5, None), (60, "off")])
def test_jit_by_what_it_took(jit_ms, wants):
    asked = (Asked(QUERIES[NAME], replace(WELL, milliseconds=100, jit_ms=jit_ms)),)
    (one,) = advice(case(asked=asked), "jit")
    assert one.wants == wants


def test_nothing_to_ask_about():
    """An empty database: what hangs on queries cannot be told, and nothing is advised without them."""
    asked = (Asked(QUERIES[NAME], None, error="There are no rows"),)
    empty = counters(largest_index=None, largest_table=None, database_bytes=8 * MB)
    found = case(asked=asked, counters=empty, tables=())
    unknown = {one.name for one in advise(found) if one.status is Status.UNKNOWN}
    assert {"work_mem", "maintenance_work_mem", "max_parallel_maintenance_workers", "jit", "fillfactor"} <= unknown
    assert {one.name for one in advise(found) if one.statements} == {"random_page_cost"}


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "autovacuum", "track_counts"])
def test_what_must_be_on(name):
    usual = server()
    (finding,) = dangers(case(server=replace(usual, settings={**usual.settings, name: setting(name, "off")})))
    assert (finding.id, finding.subject, finding.severity) == ("setting-dangerous", name, "error")
    assert finding.cure == f"ALTER SYSTEM SET {name} = 'on'; SELECT pg_reload_conf();"


@pytest.mark.parametrize(
    ("source", "statement"),
    [
        ("default", "ALTER SYSTEM SET jit = 'off'"),
        ("configuration file", "ALTER SYSTEM SET jit = 'off'"),
        ("database", "ALTER DATABASE app SET jit = 'off'"),
        ("user", "ALTER ROLE menshun SET jit = 'off'"),
        ("database user", "ALTER ROLE menshun IN DATABASE app SET jit = 'off'"),
        ("command line", None),
        ("client", None),
    ],
)
def test_the_statement_goes_where_the_value_stands(source, statement):
    assert server(jit=setting("jit", source=source)).statement("jit", "off") == statement


def test_a_value_that_no_statement_reaches():
    found = server(max_wal_size=setting("max_wal_size", source="command line"))
    busy = counters(checkpoints_requested=900, checkpoints_timed=1_900, wal_bytes=900 * GB)
    (one,) = advice(case(server=found, counters=busy), "max_wal_size")
    assert (one.status, one.statements, one.takes_effect) == (Status.CHANGE, (), None)
    assert "No statement can change it: the server is started with it" in one.reason
    (finding,) = dangers(case(server=server(fsync=setting("fsync", "off", source="command line"))))
    assert finding.cure.startswith("Not by a statement: the server is started with it")


def test_a_value_that_waits_for_a_restart_is_not_advised_again():
    found = server(max_locks_per_transaction=setting("max_locks_per_transaction", is_pending=True))
    (one,) = advice(case(server=found, tables=(table(*[leaf(indexes=15)] * 84),)), "max_locks_per_transaction")
    assert (one.status, one.statements) == (Status.UNKNOWN, ())
    assert "waits in the configuration for a restart" in one.reason
