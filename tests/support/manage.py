"""`manage.py` as a process of its own, as its user would run it, against a throw-away server."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.cluster import Cluster
from tests.support.embedded import KEY
from tests.support.servers import DATABASE
from tests.support.turns import seconds

MANAGE = Path(__file__).parents[2] / "manage.py"


def start(cluster: Cluster, *arguments: str, stderr: int = subprocess.STDOUT) -> "subprocess.Popen[str]":
    """`manage.py` with these arguments, as its user would run it against this server."""
    environment = {
        **os.environ,
        "DATABASE_URL": cluster.url(DATABASE),
        "SECRET_KEY": KEY,
        "ALLOWED_HOSTS": "localhost",
        "PYTHONWARNINGS": "error",
    }
    return subprocess.Popen(
        [sys.executable, str(MANAGE), *arguments],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=stderr,
        preexec_fn=_heed_ctrl_c,
    )


def _heed_ctrl_c() -> None:
    """A shell starts what runs in the background with SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(cluster: Cluster, *arguments: str) -> str:
    process = start(cluster, *arguments)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return output


def migration_seconds(cluster: Cluster, *target: str) -> float:
    """Seconds for `manage.py migrate`, its start included: a process of its own, as it is at its user's."""
    return seconds(lambda: run(cluster, "migrate", "-v0", *target))
