"""Advice on storage parameters, from facts made by hand: append-only partitions, hot tables."""

from typing import Any

import pytest

from pam.health.advice import Status
from tests.support.cases import advice, case, leaf, server, table

pytestmark = pytest.mark.once

FREEZE, INSERTS = "autovacuum_freeze_min_age", "autovacuum_vacuum_insert_scale_factor"


def guarded(rows: int, name: str = "public.e_1", **changes: Any) -> Any:
    return leaf(name, rows=rows, live=rows, inserts=rows, is_append_only=True, **changes)


def test_append_only_partitions_are_frozen_at_once():
    months = table(guarded(2_000_000), guarded(0, 'public."e 2"'), guarded(5, "public.e_3", parameters={FREEZE: "0"}))
    (one,) = advice(case(tables=(months,)), FREEZE)
    assert (one.status, one.subject, one.has, one.wants) == (Status.CHANGE, "events", "50000000", "0")
    assert one.statements == (
        f"ALTER TABLE public.e_1 SET ({FREEZE} = 0)",
        f'ALTER TABLE public."e 2" SET ({FREEZE} = 0)',
    )
    assert "2 of 3 partitions; look again when new ones were made." in one.reason
    assert one.takes_effect == "at once"


def test_a_plain_table_takes_it_itself():
    plain = table(guarded(2_000_000, "public.events"), is_partitioned=False)
    (one,) = advice(case(tables=(plain,)), FREEZE)
    assert one.statements == (f"ALTER TABLE public.events SET ({FREEZE} = 0)",)
    assert "look again when new ones" not in one.reason


@pytest.mark.parametrize(
    ("version", "rows", "has", "wants"),
    [
        (15_00_00, 9_000, {}, None),
        (15_00_00, 400_000, {}, None),
        (15_00_00, 900_000, {}, "0.1"),
        (17_00_00, 5_000_000, {}, "0.01"),
        (17_00_00, 900_000_000, {}, "0.01"),
        (17_00_00, 900_000, {INSERTS: "0.05"}, None),
        (18_00_00, 900_000_000, {}, None),
    ],
)
def test_rows_that_wait_for_a_vacuum(version, rows, has, wants):
    found = case(server=server(version), tables=(table(guarded(rows, parameters=has)),))
    (one,) = advice(found, INSERTS)
    assert one.wants == wants
    assert one.status is (Status.CHANGE if wants else Status.OK)


@pytest.mark.parametrize(
    ("leaves", "status"),
    [
        ([guarded(-1)], Status.UNKNOWN),
        ([guarded(200)], Status.OK),
        # It refuses changes now, and was changed before.
        ([guarded(50_000, updates=30_000)], Status.OK),
    ],
)
def test_where_the_facts_do_not_bear_it(leaves, status):
    (one,) = advice(case(tables=(table(*leaves),)), FREEZE)
    assert (one.status, one.statements) == (status, ())


def test_a_table_that_may_change_is_let_alone():
    found = case(tables=(table(leaf(rows=2_000_000)), table(guarded(2_000_000), leaf(rows=9))))
    assert advice(found, FREEZE) == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        # Once for each row may have been one statement.
        ({"updates": 5_000}, Status.OK),
        ({"live": 10, "updates": 900}, Status.OK),
        # 16 and later count those for which there was no room.
        ({"updates": 90_000, "hot_updates": 10_000, "newpage_updates": 60_000}, Status.CHANGE),
        ({"updates": 90_000, "hot_updates": 10_000, "newpage_updates": 5_000}, Status.OK),
        # 15 does not; if many are in place, room is what the others lack.
        ({"updates": 90_000, "hot_updates": 50_000, "newpage_updates": None}, Status.CHANGE),
        ({"updates": 90_000, "hot_updates": 85_000, "newpage_updates": None}, Status.OK),
        ({"updates": 90_000, "hot_updates": 0, "newpage_updates": None}, Status.UNKNOWN),
        (
            {"updates": 90_000, "newpage_updates": 60_000, "parameters": {"fillfactor": "85"}},
            Status.OK,
        ),
    ],
)
def test_fillfactor(changes, status):
    (one,) = advice(case(tables=(table(leaf(**changes), is_partitioned=False),)), "fillfactor")
    assert one.status is status
    expected = ("ALTER TABLE public.part SET (fillfactor = 90)",) if status is Status.CHANGE else ()
    assert one.statements == expected


def test_counters_just_reset():
    (one,) = advice(case(tables=(table(leaf(inserts=0)),)), "fillfactor")
    assert one.status is Status.UNKNOWN
