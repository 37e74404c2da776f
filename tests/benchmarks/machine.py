"""What the machine is: a ratio is of one run, on one machine."""

import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil

from tests.support.cluster import Cluster
from tests.support.servers import ROOMY

CPUINFO = Path("/proc/cpuinfo")


def machine() -> dict[str, Any]:
    """Processors, memory, kernel, Python, PostgreSQL, and what of its settings is not the default."""
    cluster = Cluster(options=ROOMY)
    server = subprocess.run([cluster.bindir / "postgres", "--version"], capture_output=True, text=True, check=True)
    return {
        "processors": psutil.cpu_count(),
        "model": _model(),
        "memory": psutil.virtual_memory().total,
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": server.stdout.strip(),
        "settings": cluster.options,
    }


def described(facts: dict[str, Any]) -> str:
    """The same in a sentence."""
    settings = ", ".join(f"{name} = {value}" for name, value in facts["settings"].items())
    return (
        f"{facts['processors']} processors ({facts['model']}), {facts['memory'] / 2**30:.0f} GiB, {facts['kernel']}, "
        f"Python {facts['python']}, {facts['postgresql']} with {settings}."
    )


def _model() -> str:
    """As Linux calls the processor; elsewhere what Python knows of it."""
    if CPUINFO.exists():
        for line in CPUINFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
