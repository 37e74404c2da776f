"""The judgement of indexes, of facts made by hand: what is proposed, and what never is."""

from datetime import timedelta

import pytest

from pam.health.finding import Severity
from pam.health.index_cover import covers
from pam.postgres.index_bloat import ESTIMATE, NO_STATISTICS, Bloat, expected_pages
from pam.postgres.index_usage import ForeignKey
from tests.support.indexes_by_hand import NOW, TABLE, ids, index, judged, only, server

pytestmark = pytest.mark.once

MB = 1024 * 1024


def test_nothing_is_wrong():
    judgement = judged(index(1, "a", scans=5), index(2, "b", unique=True))
    assert not any([judgement.findings, judgement.proposed, judgement.too_early])
    assert judgement.purposes == {1: (), 2: ("constraint",)}


def test_unused():
    finding = only(judged(index(1, "a", last_scan=None)))
    assert (finding.id, finding.severity, finding.subject) == ("index-unused", Severity.WARNING, "public.ix_1")
    assert finding.evidence.replace("\xa0", " ") == (
        "no scan since 2026-01-24 13:37 UTC (300 days); 64.0 MB, kept up to date by each write"
    )
    assert finding.cure == "drop ix_1"


@pytest.mark.parametrize(
    ("changes", "purpose"),
    [
        ({"holds_constraint": True}, "constraint"),
        ({"unique": True}, "constraint"),
        ({"is_replica_identity": True}, "replica identity"),
    ],
)
def test_what_holds_something_is_never_proposed(changes, purpose):
    """Not as unused, not as a duplicate or prefix, whichever is the older one."""
    judgement = judged(index(1, "a", **changes), index(2, "a", "b", scans=9), index(3, "a", **changes))
    assert judgement.findings == ()
    assert judgement.purposes[1] == (purpose,)


def test_a_named_query_keeps_its_index():
    judgement = judged(index(1, "a"), index(2, "a", "b", scans=9), queries={"ix_1": ["who", "when"]})
    assert judgement.findings == ()
    assert judgement.purposes[1] == ("named queries who, when",)


def test_a_list_of_the_admin_keeps_its_index():
    judgement = judged(index(1, "a"), index(2, "a", "b", scans=9), lists=frozenset({"ix_1"}))
    assert judgement.findings == ()
    assert judgement.purposes[1] == ("lists of the admin",)


def test_the_only_index_of_a_foreign_key_stays_and_of_two_one_does():
    keys = (ForeignKey("fk", TABLE, ("a", "b")),)
    assert judged(index(1, "b", "a", "c"), keys=keys).findings == ()
    assert judged(index(1, "b", "a"), keys=keys).purposes[1] == ("only index of foreign key fk",)
    assert ids(judged(index(1, "b", "a"), index(2, "a", "b", "c"), keys=keys)) == {"ix_2": "index-unused"}
    assert set(ids(judged(index(1, "a"), index(2, "c", "a", "b"), keys=keys))) == {"ix_1", "ix_2"}
    # An index of some rows, or an INVALID one, is no help to a foreign key.
    for changes in ({"predicate": "c"}, {"invalid": ("public.ix_2",)}, {"method": "gin"}):
        found = ids(judged(index(1, "a", "b"), index(2, "a", "b", scans=1, **changes), keys=keys))
        assert "ix_1" not in found


def test_duplicate_the_one_of_less_use_goes():
    assert only(judged(index(1, "a", scans=3), index(2, "a", scans=4))).subject == "public.ix_1"
    assert only(judged(index(1, "a", scans=3), index(2, "a", scans=3))).subject == "public.ix_2"
    kept = judged(index(1, "a", scans=3), index(2, "a", scans=4), declared=frozenset({1}))
    assert only(kept).id == "index-duplicate"
    assert only(kept).subject == "public.ix_2"
    named = judged(index(1, "a", scans=3), index(2, "a", scans=4), queries={"ix_1": ["who"]}, declared=frozenset({2}))
    assert "public.ix_1 has the same columns" in only(named).evidence
    assert ids(judged(*(index(oid, "a", scans=oid) for oid in (1, 2, 3)))) == dict.fromkeys(
        ("ix_1", "ix_2"), "index-duplicate"
    )


def test_a_unique_index_makes_a_plain_one_of_its_columns_needless():
    assert ids(judged(index(1, "a", scans=9), index(2, "a", unique=True))) == {"ix_1": "index-duplicate"}


def test_prefix():
    finding = only(judged(index(1, "a", scans=9), index(2, "a", "b", scans=1)))
    assert finding.id == "index-prefix"
    assert "public.ix_2 begins with the same columns" in finding.evidence
    assert "9 scans" in finding.evidence


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": ("b", "a"), "key_count": 2},
        {"predicate": "is_active"},
        {"opclasses": "2 1"},
        {"collations": "101 100"},
        {"options": "3 0"},
        {"method": "gin"},
        {"table_oid": 2000},
        {"invalid": ("public.ix_2",)},
    ],
)
def test_no_prefix(changes):
    judgement = judged(index(1, "a", scans=9), index(2, "a", "b", **{"scans": 9, **changes}))
    assert "ix_1" not in ids(judgement)


def test_what_stands_beside_the_key_counts():
    short = index(1, "a", "x", key_count=1, opclasses="1", collations="100", options="0")
    assert not covers(index(2, "a", "b"), short)
    assert covers(index(2, "a", "x"), short)
    assert not covers(short, index(2, "a", "x"))


def test_other_methods_must_be_the_same_in_all():
    one = index(1, "a", "b", method="gin", scans=1)
    assert ids(judged(one, index(2, "a", "b", method="gin", scans=2))) == {"ix_1": "index-duplicate"}
    assert judged(one, index(2, "a", "b", method="gin", scans=2, parameters="{fastupdate=off}")).findings == ()
    assert judged(index(1, "a", method="gin", scans=1), index(2, "a", "b", method="gin", scans=2)).findings == ()


def test_an_index_of_one_partition_is_covered_by_that_of_the_parent_not_the_other_way_round():
    parent = index(1, "a", "b", scans=5, is_partitioned=True)
    month = index(2, "a", scans=5, table_oid=2000, tables=(2000, TABLE))
    assert ids(judged(parent, month)) == {"ix_2": "index-prefix"}
    assert (
        judged(index(1, "a", scans=5), index(2, "a", "b", scans=5, table_oid=2000, tables=(2000, TABLE))).findings == ()
    )


def test_what_replaces_an_index_stays():
    """The longer one is never scanned: it goes, so the prefix stays."""
    assert ids(judged(index(1, "a", scans=9), index(2, "a", "b"))) == {"ix_2": "index-unused"}
    assert ids(judged(index(1, "a"), index(2, "a", "b", scans=9))) == {"ix_1": "index-prefix"}
    assert ids(judged(index(1, "a"), index(2, "a"))) == dict.fromkeys(("ix_1", "ix_2"), "index-unused")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"reset_at": NOW - timedelta(days=6)},
            "somebody reset its counters at 2026-11-14 13:37 UTC, 6 days ago, and 30",
        ),
        ({"kept_since": NOW - timedelta(hours=2)}, "it first started, or crashed, at 2026-11-20 11:37 UTC, 0 days"),
        ({"kept_since": None}, "nobody knows since when it counts"),
        ({"is_counting": False}, "it counts nothing (track_counts is off)"),
    ],
)
def test_young_counters_say_so_and_call_nothing_unused(changes, told):
    judgement = judged(index(1, "a"), index(2, "b", scans=1), index(3, "b", scans=2), servers=(server(**changes),))
    assert ids(judgement) == {"default": "counters-too-young", "ix_2": "index-duplicate"}
    finding = next(one for one in judgement.findings if one.id == "counters-too-young")
    assert finding.evidence.startswith(told)
    assert finding.evidence.endswith("so no index is called unused (1 have no scan)")
    assert judged(index(2, "b", scans=1), servers=(server(**changes),)).findings == ()


def test_when_to_look_again():
    servers = (server(reset_at=NOW - timedelta(days=6)),)
    assert only(judged(index(1, "a"), servers=servers)).cure == "look again  # from 2026-12-14 13:37 UTC on"
    assert ids(judged(index(1, "a"), servers=servers, days=6)) == {"ix_1": "index-unused"}


def test_the_youngest_of_all_servers_counts():
    replica = server("replica", is_replica=True, kept_since=NOW - timedelta(days=31))
    assert "(31 days) on default, replica;" in only(judged(index(1, "a"), servers=(server(), replica))).evidence
    young = server("replica", is_replica=True, kept_since=NOW - timedelta(days=29))
    assert only(judged(index(1, "a"), servers=(server(), young))).subject == "replica"


def test_a_young_index_is_not_called_unused_though_the_counters_are_old():
    judgement = judged(index(1, "a", made_before=NOW - timedelta(days=29)), index(2, "b", made_before=None))
    assert judgement.findings == ()
    assert [(one.name, why) for one, why in judgement.too_early] == [
        ("ix_1", "perhaps made as late as 2026-10-22 13:37 UTC"),
        ("ix_2", "made after the last migration on record, nobody knows when"),
    ]
    told = only(judged(index(1, "a", made_before=NOW - timedelta(days=40))))
    assert "no scan since 2026-10-11 13:37 UTC (40 days);" in told.evidence


def test_with_no_least_age_all_without_scans_are_unused():
    judgement = judged(index(1, "a", made_before=None), servers=(server(reset_at=NOW),), days=0)
    told = "no scan since 2026-11-20 13:37 UTC (0 days), or since it was made, if that was later"
    assert only(judgement).evidence.startswith(told)


def test_invalid():
    finding = only(judged(index(1, "a", invalid=("public.ix_1",)), index(2, "a", scans=9)))
    assert (finding.id, finding.severity) == ("index-invalid", Severity.ERROR)
    assert finding.cure == "REINDEX INDEX CONCURRENTLY public.ix_1; -- or, if nobody wants it: drop ix_1"
    parts = ("public.ix_1", "public.ix_1_2026_01")
    finding = only(judged(index(1, "a", is_partitioned=True, invalid=parts)))
    assert finding.cure.startswith("REINDEX INDEX CONCURRENTLY public.ix_1_2026_01;")
    finding = only(judged(index(1, "a", is_partitioned=True, invalid=parts[:1])))
    assert "ALTER INDEX public.ix_1 ATTACH PARTITION" in finding.cure
    assert judged(index(1, "a", invalid=("public.ix_1",), is_being_built=True)).findings == ()


@pytest.mark.parametrize(
    ("bloat", "is_found"),
    [
        (Bloat(40 * MB, 0.625, ESTIMATE), True),
        (Bloat(20 * MB, 0.31, ESTIMATE), False),
        (Bloat(9 * MB, 0.9, ESTIMATE), False),
        (Bloat(None, None, NO_STATISTICS), False),
    ],
)
def test_bloat(bloat, is_found):
    found = judged(index(1, "a", scans=1, bloat=bloat)).findings
    assert [one.id for one in found] == ["index-bloated"] * is_found
    if is_found:
        assert found[0].cure == "REINDEX INDEX CONCURRENTLY public.ix_1"
        assert "62% (estimate from pg_stats)" in found[0].evidence
    assert ids(judged(index(1, "a", bloat=bloat))) == {"ix_1": "index-unused"}


def test_expected_pages_of_what_can_be_counted_by_hand():
    """Eight bytes of value are an entry of 20; a page of 8,152 holds 407. One page above them all, and the first."""
    assert expected_pages(0, 8, has_nulls=False, fillfactor=100, page_bytes=8192) == 1
    assert expected_pages(407, 8, has_nulls=False, fillfactor=100, page_bytes=8192) == 2
    assert expected_pages(4070, 8, has_nulls=False, fillfactor=100, page_bytes=8192) == 12
    assert expected_pages(4070, 8, has_nulls=True, fillfactor=100, page_bytes=8192) == 16
