"""How far the phases are, by the migrations that Django has recorded and by what is there without a record."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pam.health.finding import Finding, Severity

PHASE = re.compile(r"_phase(\d)(_|$)")
TOLD = {
    1: "plain tables",
    2: "indexes built concurrently",
    3: "monthly partitions, statistics, reporting views",
}


@dataclass(frozen=True)
class Phase:
    """`state` is "applied", "partly applied" or "not applied"; `half_applied`: of which unrecorded migration how many
    parts are there, of how many."""

    number: int
    about: str
    state: str
    applied: tuple[str, ...]
    missing: tuple[str, ...]
    half_applied: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Recorded:
    """A migration, the phase that it is of (None: of none), and when it was applied; None: it is not."""

    name: str
    phase: int | None
    applied_at: datetime | None


def recorded(known: Collection[str], applied: Mapping[str, datetime]) -> list[Recorded]:
    """All migrations by name; `applied` may have some that are not `known`, of another checkout."""
    return [Recorded(name, _phase(name), applied.get(name)) for name in sorted({*known, *applied})]


def _phase(migration: str) -> int | None:
    match = PHASE.search(migration)
    return int(match[1]) if match else None


def phases(known: Collection[str], applied: Collection[str], half: Mapping[str, tuple[int, int]]) -> list[Phase]:
    """The three phases; `known` are the names of all migrations, `half` is what `schema.half_applied` found."""
    found = []
    for number, about in TOLD.items():
        names = sorted(name for name in known if _phase(name) == number)
        done = tuple(name for name in names if name in applied)
        missing = tuple(name for name in names if name not in applied)
        state = "applied" if not missing else "partly applied" if _work(done) else "not applied"
        found.append(
            Phase(number, about, state, done, missing, {name: parts for name, parts in half.items() if name in missing})
        )
    return found


def _work(names: Collection[str]) -> list[str]:
    """Without the empty markers, which stay when a phase was taken back."""
    return [name for name in names if not name.endswith(("_begin", "_end"))]


def judge_phases(found: Collection[Phase], alias: str) -> Iterator[Finding]:
    """A phase that is not applied is no fault, but one that was begun and not ended is. `alias`: for the cures."""
    migrate = f"python manage.py migrate --database {alias}"
    for phase in found:
        if phase.number == 1 and phase.state == "not applied" and not phase.half_applied:
            evidence = "it is not applied, and no table is there"
            yield Finding("not-migrated", Severity.ERROR, "phase 1", evidence, migrate)
        for migration, (there, of) in phase.half_applied.items():
            yield Finding(
                "phase-half-applied",
                Severity.WARNING,
                f"phase {phase.number}",
                f"{migration} is not recorded as applied, and {there} of {of} parts of it are there",
                f"Finish it: {migrate}. Or take it back: python manage.py migrate pam "
                f"{phase.applied[0] if phase.applied else 'zero'} --database {alias}",
            )
        if phase.state == "partly applied" and not phase.half_applied:
            yield Finding(
                "phase-unfinished",
                Severity.WARNING,
                f"phase {phase.number}",
                f"{len(phase.applied)} of its {len(phase.applied) + len(phase.missing)} migrations are applied",
                migrate,
            )


def judge_of_no_phase(half: Mapping[str, tuple[int, int]], alias: str) -> Iterator[Finding]:
    """Migrations of no phase that were begun and not ended; `half` is what `schema.half_applied` found."""
    for migration, (there, of) in half.items():
        if _phase(migration) is None:
            yield Finding(
                "migration-half-applied",
                Severity.WARNING,
                migration,
                f"it is not recorded as applied, and {there} of {of} parts of it are there",
                f"python manage.py migrate pam {migration} --database {alias}",
            )
