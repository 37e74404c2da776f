"""Who may import whom: imports point down the layers, and migrations depend on nothing that will change."""

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
PAM = ROOT / "pam"

# From the ground up; a module may import from its own layer and from those before it.
LAYERS = [
    "postgres",
    "errors",
    "differences",
    "querysets",
    "models",
    "trail",
    "sign_ins",
    "staff_site",
    "duties",
    "staff_roles",
    "partitions",
    "role_file",
    "directory_roles",
    "company",
    "explain",
    "workload",
    "health",
    "monitoring",
    "checks",
    "views",
    "admin",
    "management",
]


def modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The full names of what a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer(name: str) -> int | None:
    """The layer of a module of pam by its dotted name, or None for the app itself."""
    parts = name.split(".")
    return LAYERS.index(parts[1]) if parts[0] == "pam" and len(parts) > 1 and parts[1] in LAYERS else None


@pytest.mark.parametrize("path", modules(PAM), ids=lambda path: str(path.relative_to(PAM)))
def test_imports_point_down(path):
    own = layer(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if own is None:
        return
    above = [name for name in imports(path) if (other := layer(name)) is not None and other > own]
    assert above == []
    assert not [name for name in imports(path) if name.startswith(("menshun", "tests"))]


@pytest.mark.parametrize("path", modules(PAM / "migrations"), ids=lambda path: path.stem)
def test_migrations_import_only_what_stays(path):
    strangers = [name for name in imports(path) if not name.startswith(("django.", "psqlextra.", "pam.postgres."))]
    assert strangers == []


def test_only_locks_sets_timeouts():
    """Whoever writes the name of a timeout to set it, outside locks.py, is found here."""
    pattern = re.compile(r"(SET (LOCAL )?|set_config\(')(lock|statement)_timeout", re.IGNORECASE)
    setters = [str(path.relative_to(PAM)) for path in modules(PAM) if pattern.search(path.read_text())]
    assert setters == ["postgres/locks.py"]


def test_nobody_uses_the_global_connection():
    users = [str(path.relative_to(PAM)) for path in modules(PAM) if "django.db.connection" in imports(path)]
    assert users == []


def test_every_layer_is_there():
    """A layer that was renamed would silently not be looked at."""
    there = {path.stem for path in PAM.iterdir()}
    assert set(LAYERS) <= there
