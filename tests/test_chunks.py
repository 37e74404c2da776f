"""What is copied at once is bounded by its size, also where most of it lies beside the table."""

import io

from django.core.management import call_command
from django.db import connections

from pam.postgres.online_copy import capture
from tests.support.clients import Client, checksums
from tests.support.months import CONVERTED, add_sessions

END = "2027-01-01"
# Some 100 kB each, which no compression makes much smaller.
LONG = """
INSERT INTO audit_logs (id, event_type, action, result, timestamp, description, details)
SELECT gen_random_uuid(), 'compliance', 'x', 'success', '2026-10-31 23:59:59.999999Z', 'y',
    (SELECT string_agg(md5(n::text || m::text), '') FROM generate_series(1, 3000) m)
FROM generate_series(1, 100) n
"""
SHAPE = """
SELECT count(*), min(end_block - first_block), sum(rows),
    (SELECT pg_relation_size('{table}') / 8192), (SELECT count(*) FROM {table})
FROM {table}_menshun_chunks
"""


def test_long_values_make_chunks_of_fewer_blocks(phase2, monkeypatch):
    # Half a megabyte.
    monkeypatch.setattr(capture, "CHUNK_BLOCKS", 64)
    Client(phase2, "seed").step(0)
    add_sessions(phase2, 200)
    with connections[phase2].cursor() as cursor:
        cursor.execute(LONG)
        before = checksums(phase2, END)
        call_command("pam_partitions", "prepare", database=phase2, stdout=io.StringIO())
        found = {}
        for table in ("audit_logs", "sessions"):
            cursor.execute(SHAPE.format(table=table))
            chunks, smallest, copied, blocks, rows = cursor.fetchone()
            assert copied == rows
            assert blocks > 1
            found[table] = chunks, smallest, blocks
    chunks, smallest, blocks = found["audit_logs"]
    assert (chunks, smallest) == (blocks, 1)
    assert found["sessions"][0] == 1
    call_command("migrate", "pam", CONVERTED, database=phase2, verbosity=0)
    assert checksums(phase2, END) == before
