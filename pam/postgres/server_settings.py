"""The server's settings with their units and limits, and the statement that changes one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres.sql import query

SIZE = re.compile(r"(\d*)(B|kB|MB|GB|TB)")
BYTES = {"TB": 1 << 40, "GB": 1 << 30, "MB": 1 << 20, "kB": 1 << 10, "B": 1}
# Where a value stands that ALTER SYSTEM does not reach, and who could change it there.
OUT_OF_REACH = {
    "command line": "the server is started with it, which goes before ALTER SYSTEM: change it there",
    "environment variable": "the server's environment says so: change it there",
    "client": "this connection asks for it (OPTIONS of the database's settings, or PGOPTIONS): change it there",
    "session": "this session has set it",
    "override": "the server does not let it be changed",
}


@dataclass(frozen=True)
class Setting:
    """A row of pg_settings, for this session. `raw` is a number of `unit`; `shown` is what SHOW says.

    `minimum` and `maximum` are numbers of `unit` too, None where it is not a number.
    """

    name: str
    raw: str
    shown: str
    unit: str | None
    minimum: float | None
    maximum: float | None
    context: str
    source: str
    is_pending: bool
    may_alter: bool

    @property
    def unit_bytes(self) -> int:
        """The bytes of the unit: of "8kB", a page, 8,192."""
        found = SIZE.fullmatch(self.unit or "")
        if found is None:
            raise ValueError(f"{self.name} is no size; its unit is {self.unit}")
        return int(found[1] or 1) * BYTES[found[2]]

    @property
    def number(self) -> float:
        return float(self.raw)

    @property
    def bytes(self) -> int:
        """The value of a size in bytes."""
        return int(self.raw) * self.unit_bytes

    @property
    def takes_effect(self) -> str:
        """What has to follow a change: "restart" of the server, "reload" of its configuration, or "new sessions"."""
        if self.source in ("database", "user", "database user"):
            return "new sessions"
        return "restart" if self.context == "postmaster" else "reload"

    @property
    def most_bytes(self) -> int:
        """The largest value of a size that the server takes, in bytes."""
        return self._limit(self.maximum)

    @property
    def least_bytes(self) -> int:
        """The smallest, in bytes."""
        return self._limit(self.minimum)

    def _limit(self, value: float | None) -> int:
        if value is None:
            raise ValueError(f"{self.name} is no number")
        return int(value) * self.unit_bytes

    def within(self, size: int) -> int:
        """The nearest size in bytes that the server takes: whole units, rounded down, within its limits."""
        return max(self.least_bytes, min(self.most_bytes, size // self.unit_bytes * self.unit_bytes))


@dataclass(frozen=True)
class Server:
    """What the server is, and its settings by name; `unseen` are those that this role does not see.

    `database` and `role` are quoted. `can_compile`: JIT is there, and not switched off.
    """

    settings: dict[str, Setting]
    unseen: tuple[str, ...]
    version: int
    version_shown: str
    database: str
    role: str
    is_standby: bool
    can_compile: bool

    def __getitem__(self, name: str) -> Setting:
        return self.settings[name]

    def statement(self, name: str, value: str) -> str | None:
        """The statement that gives a setting this value where it stands now; None if no statement can."""
        setting = self[name]
        if setting.source in OUT_OF_REACH:
            return None
        where = {
            "database": f"DATABASE {self.database}",
            "user": f"ROLE {self.role}",
            "database user": f"ROLE {self.role} IN DATABASE {self.database}",
        }.get(setting.source, "SYSTEM")
        return f"ALTER {where} SET {name} = '{value}'"

    def why_not(self, name: str) -> str:
        """Why there is no such statement."""
        return OUT_OF_REACH[self[name].source]


def read_server(connection: BaseDatabaseWrapper, names: tuple[str, ...]) -> Server:
    """The server and the settings of these names, as this session has them. Takes no lock that anybody feels."""
    with connection.cursor() as cursor:
        cursor.execute(query("settings", "server"))
        facts: Sequence[Any] = cursor.fetchone()
        cursor.execute(query("settings", "settings"), {"names": list(names)})
        settings = {row[0]: Setting(*row) for row in cursor.fetchall()}
    return Server(settings, tuple(name for name in names if name not in settings), *facts)


def readable(size: int) -> str:
    """Bytes as SHOW writes them: in the largest unit of which it is a whole number."""
    if size == 0:
        return "0"
    unit = next(unit for unit, factor in BYTES.items() if size % factor == 0)
    return f"{size // BYTES[unit]}{unit}"


def parse_size(text: str) -> int:
    """Bytes of a size as PostgreSQL writes it, "16GB"; ValueError if it is none, or nothing."""
    found = SIZE.fullmatch(text.strip())
    if found is None or not found[1] or not int(found[1]):
        raise ValueError(f"{text!r} is no size. Such as 512MB, 16GB or 1TB")
    return int(found[1]) * BYTES[found[2]]
