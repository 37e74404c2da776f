"""`pam_plan --back`: what would stop the way back to plain tables, and what would not."""

import pytest
from django.core.management import call_command
from django.db import connections

from pam.postgres.online_copy.errors import ObstaclesFound
from tests.support.months import BEGIN, partitions
from tests.test_pam_plan import NEXT, OBSTACLES, planned

# What one month has and the others have not, and the way back would lose.
OF_ONE_MONTH = {
    "an index": (
        f"CREATE INDEX theirs ON sessions_{NEXT} (request_count)",
        f"The index theirs is of the month sessions_{NEXT} alone",
    ),
    "a check": (
        f"ALTER TABLE sessions_{NEXT} ADD CONSTRAINT theirs CHECK (request_count < 9)",
        f"The constraint theirs is of the month sessions_{NEXT} alone",
    ),
    "a trigger": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        f" CREATE TRIGGER theirs AFTER INSERT ON sessions_{NEXT} FOR EACH ROW EXECUTE FUNCTION f()",
        f"The trigger theirs is of the month sessions_{NEXT} alone",
    ),
}


@pytest.mark.parametrize("what", OF_ONE_MONTH)
def test_what_one_month_has_alone_stops_the_way_back(migrated, what):
    statement, told = OF_ONE_MONTH[what]
    assert "OBSTACLE" not in planned(migrated, back=True)
    with connections[migrated].cursor() as cursor:
        cursor.execute(statement)
    assert told in planned(migrated, back=True)
    with pytest.raises(ObstaclesFound, match=told):
        call_command("migrate", "pam", BEGIN, database=migrated, verbosity=0)


def test_a_time_without_a_month_does_not_stop_the_way_back(migrated):
    with connections[migrated].cursor() as cursor:
        cursor.execute(OBSTACLES["infinity"][0])
        call_command("migrate", "pam", BEGIN, database=migrated, verbosity=0)
        cursor.execute("SELECT count(*) FROM audit_logs WHERE timestamp = 'infinity'")
        assert cursor.fetchone() == (1,)
    assert partitions(migrated, "audit_logs") == {}
