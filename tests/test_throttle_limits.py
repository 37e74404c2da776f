"""The limits of the throttle: how a figure is read, and what the settings refuse."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from menshun.environment import whole_number
from pam.postgres.online_copy.throttle import Gauge
from tests.support.embedded import CHECKOUT, manage

pytestmark = pytest.mark.once


def test_a_figure_near_the_limit_does_not_make_it_stop_and_go():
    gauge = Gauge(usual=0, limit=100)
    held = []
    for figure in (100, 101, 99, 51, 50, 99, 101):
        gauge.read(figure)
        held.append(gauge.is_high)
    assert held == [False, True, True, True, False, False, True]


@pytest.mark.parametrize("name", ["PAM_COPY_REPLICA_LAG_MB", "PAM_COPY_COMMIT_FACTOR"])
def test_settings_that_are_no_number_are_refused_by_name(name):
    assert whole_number({name: "0"}, name, 10, least=0) == 0
    for text in ("-1", "much", "1.5", "²"):
        with pytest.raises(ImproperlyConfigured, match=f"{name} must be a whole number from 0 on, such as 10"):
            whole_number({name: text}, name, 10, least=0)
    ended = manage(CHECKOUT, "check", environment={name: "-1"})
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"ImproperlyConfigured: {name} must be a whole number from 0 on")
