"""AddIndexConcurrently on partitioned tables: each partition, whatever it is called, and one that comes later."""

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from pam.postgres.errors import BuildFailed
from pam.postgres.indexes import Index
from tests.support import toys
from tests.support.indexes import index_validity, invalidate


def test_a_partition_that_is_partitioned_itself(database):
    toys.make_table(database, partitioned=True)
    with connections[database].cursor() as cursor:
        cursor.execute(
            "CREATE TABLE toys_2026_04 PARTITION OF toys FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')"
            " PARTITION BY RANGE (made_at)"
        )
        cursor.execute(
            "CREATE TABLE april_first PARTITION OF toys_2026_04 FOR VALUES FROM ('2026-04-01') TO ('2026-04-02')"
        )
    toys.forwards(database, toys.add_index(), toys.state())
    built = index_validity(database, "ix_toys%")
    (of_april_first,) = set(built) - set(toys.PARENT_AND_MONTHS) - {"ix_toys_name_partial_2026_04"}
    assert of_april_first.startswith("ix_toys_name_partial_2026_04_april_first_")
    assert all(built.values())
    toys.backwards(database, toys.add_index(), toys.state())
    assert index_validity(database, "ix_toys%") == {}


def test_a_partition_that_comes_later_has_it_too(database):
    toys.make_table(database, partitioned=True)
    toys.forwards(database, toys.add_index(), toys.state())
    with connections[database].cursor() as cursor:
        cursor.execute("CREATE TABLE later PARTITION OF toys FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')")
    assert index_validity(database, "later%") == {"later_name_idx": True}


def test_long_names_are_cut_the_same_way_each_time(database):
    toys.make_table(database, "t" * 63, rows=1)
    long = Index(fields=["name"], name="ix_" + "n" * 60)
    for _ in range(2):
        toys.forwards(database, toys.add_index(long), toys.state("t" * 63))
    assert index_validity(database, "ix_nn%") == {long.name: True}


def test_long_names_of_partitions_stay_apart(database):
    toys.make_table(database, partitioned=True)
    long = Index(fields=["name"], name="ix_" + "n" * 60)
    for _ in range(2):
        toys.forwards(database, toys.add_index(long), toys.state())
    assert len(index_validity(database, "ix_nn%")) == 1 + len(toys.MONTHS)
    assert all(index_validity(database, "ix_nn%").values())


def test_partitions_whose_names_look_alike(database):
    """`toys_a` and `a` add the same to the name of the parent; their indexes are told apart all the same."""
    toys.make_table(database, partitioned=True)
    with connections[database].cursor() as cursor:
        cursor.execute("CREATE TABLE toys_a PARTITION OF toys FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')")
        cursor.execute("CREATE TABLE a PARTITION OF toys FOR VALUES FROM ('2026-05-01') TO ('2026-06-01')")
    for _ in range(2):
        toys.forwards(database, toys.add_index(), toys.state())
    assert len(index_validity(database, "ix_toys%")) == 1 + len(toys.MONTHS) + 2


def test_a_foreign_partition_is_refused_before_anything_is_built(database):
    toys.make_table(database, partitioned=True)
    with connections[database].cursor() as cursor:
        cursor.execute("CREATE FOREIGN DATA WRAPPER nowhere")
        cursor.execute("CREATE SERVER far FOREIGN DATA WRAPPER nowhere")
        cursor.execute(
            "CREATE FOREIGN TABLE zz PARTITION OF toys FOR VALUES FROM ('2026-04-01') TO ('2026-05-01') SERVER far"
        )
    with pytest.raises(BuildFailed, match=r"public.zz is a foreign table.*DETACH PARTITION"):
        toys.forwards(database, toys.add_index(), toys.state())
    assert index_validity(database, "ix_toys%") == {}


@pytest.mark.parametrize("with_parent", [False, True])
def test_backwards_finds_what_was_built_and_never_attached(database, with_parent):
    toys.make_table(database, partitioned=True)
    name = toys.INDEX.name
    with connections[database].cursor() as cursor:
        cursor.execute(f"CREATE INDEX {name}_2026_01 ON toys_2026_01 (name) WHERE is_active")
        cursor.execute(f"CREATE INDEX {name}_2026_02 ON toys_2026_02 (name) WHERE is_active")
        invalidate(database, f"{name}_2026_02")
        if with_parent:
            cursor.execute(f"CREATE INDEX {name} ON ONLY toys (name) WHERE is_active")
    toys.backwards(database, toys.add_index(), toys.state())
    assert index_validity(database, "ix_toys%") == {}


def test_statements_of_a_partitioned_build_in_order(database):
    toys.make_table(database, partitioned=True)
    with CaptureQueriesContext(connections[database]) as executed:
        toys.forwards(database, toys.add_index(), toys.state())
    ours = [query["sql"] for query in executed if query["sql"].startswith(("CREATE", "ALTER", "DROP"))]
    where = ' USING btree ("name") WHERE "is_active"'.replace(" USING btree", "")
    assert ours[0] == f'CREATE INDEX "{toys.INDEX.name}" ON ONLY "public"."toys"{where}'
    for month, (create, attach) in zip(toys.MONTHS, zip(ours[1::2], ours[2::2], strict=True), strict=True):
        name = f"{toys.INDEX.name}_{month}"
        assert create == f'CREATE INDEX CONCURRENTLY "{name}" ON "public"."toys_{month}"{where}'
        assert attach == f'ALTER INDEX "public"."{toys.INDEX.name}" ATTACH PARTITION "public"."{name}"'


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_a_partitioned_build_goes_on_after_each_step(database, done):
    """Made by hand as far as an interrupted run came: some months attached, the next one INVALID."""
    toys.make_table(database, partitioned=True)
    name = toys.INDEX.name
    with connections[database].cursor() as cursor:
        cursor.execute(f"CREATE INDEX {name} ON ONLY toys (name) WHERE is_active")
        for number, month in enumerate(toys.MONTHS[: done + 1]):
            cursor.execute(f"CREATE INDEX {name}_{month} ON toys_{month} (name) WHERE is_active")
            if number < done:
                cursor.execute(f"ALTER INDEX {name} ATTACH PARTITION {name}_{month}")
            else:
                invalidate(database, f"{name}_{month}")
    toys.forwards(database, toys.add_index(), toys.state())
    assert index_validity(database, "ix_toys%") == toys.PARENT_AND_MONTHS
