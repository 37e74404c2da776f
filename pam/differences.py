"""What changed between two values of an event, and what its details say, in rows for a reader. No database here."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, zip_longest
from typing import Any

MOST_ROWS = 100
# Characters of a value, and of the path to it.
MOST_TEXT = 500
MOST_PATH = 200
# Of two long texts that begin alike, so many characters are shown before they differ.
BEFORE_THE_DIFFERENCE = 100


class Kind(StrEnum):
    """What became of a value."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class Shown:
    """A value as it is shown: so many characters were left out before and after. Other than text: as in JSON."""

    text: str
    is_text: bool = True
    left_out_before: int = 0
    left_out_after: int = 0


@dataclass(frozen=True)
class Row:
    """One value that is not what it was. `before` is None where there was none, and `after` where there is none now."""

    path: str
    before: Shown | None
    after: Shown | None

    @property
    def kind(self) -> Kind:
        if self.before is None:
            return Kind.ADDED
        return Kind.REMOVED if self.after is None else Kind.CHANGED


@dataclass(frozen=True)
class Entry:
    """One value of the details; a plain text has no path."""

    path: str
    value: Shown


@dataclass(frozen=True)
class Differences:
    """The first rows, and how many there are besides."""

    rows: tuple[Row, ...]
    more: int = 0


@dataclass(frozen=True)
class Details:
    """The first entries, and how many there are besides."""

    entries: tuple[Entry, ...]
    more: int = 0


class _Missing:
    """Where there is no value; None is one, which JSON calls null."""


MISSING = _Missing()
Found = tuple[str, Any, Any]


def differences(previous: Any, new: Any) -> Differences:
    """What differs between two values as JSON has them, sorted by path. None at the top is no value at all.

    Lists of texts and numbers are compared as what is in them, other lists place by place. What is the same is left
    out, and so is what is beyond MOST_ROWS; long texts are cut, so that the place where they differ is seen.
    """
    before, after = (MISSING if value is None else value for value in (previous, new))
    rows: list[Row] = []
    more = 0
    for path, old, now in _differing(before, after):
        if len(rows) < MOST_ROWS:
            rows.append(_row(path, old, now))
        else:
            more += 1
    return Differences(tuple(rows), more)


def details_of(text: str | None) -> Details:
    """Details as entries: each value with its path if the text is a JSON object or list, and else the text itself."""
    if not text:
        return Details(())
    value = read_json(text)
    if not isinstance(value, dict | list):
        return Details((Entry("", _shown(text)),))
    entries: list[Entry] = []
    more = 0
    for path, _, now in _differing(MISSING, value):
        if len(entries) < MOST_ROWS:
            entries.append(Entry(_writable(path), _shown(now)))
        else:
            more += 1
    return Details(tuple(entries), more)


def read_json(text: str | None) -> Any:
    """The value that a text of JSON is; the text itself if it is none, or has a number or a nesting that Python cannot
    read. None is no value at all."""
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return text


def _differing(before: Any, after: Any) -> Iterator[Found]:
    """Walks without recursion: nesting is limited by nobody."""
    waiting: list[Found] = [("", before, after)]
    while waiting:
        path, old, now = waiting.pop()
        inner = _inner(path, old, now)
        if inner is not None:
            waiting.extend(reversed(inner))
        elif not _same(old, now):
            yield path, old, now


def _inner(path: str, old: Any, now: Any) -> list[Found] | None:
    """The parts of two values by which they are compared; None if they have none, and are compared as they are."""
    both = [value for value in (old, now) if value is not MISSING]
    if all(isinstance(value, dict) for value in both) and any(both):
        return [
            (_key(path, key), _part(old, key), _part(now, key))
            for key in sorted({key for value in both for key in value})
        ]
    if all(isinstance(value, list) for value in both) and any(both):
        if len(both) == 2 and all(_is_leaf(item) for item in chain(*both)):
            return _as_members(path, old, now)
        pairs = zip_longest(*([] if value is MISSING else value for value in (old, now)), fillvalue=MISSING)
        return [(_longer(path, f"[{place}]"), one, other) for place, (one, other) in enumerate(pairs)]
    if len(both) == 2 and any(isinstance(value, dict | list) and value for value in both):
        return [(path, old, MISSING), (path, MISSING, now)]
    return None


def _as_members(path: str, old: list[Any], now: list[Any]) -> list[Found] | None:
    """Two lists of single values: what is in one only. Where it is the same in another order, the lists as texts."""
    before, after = (Counter((type(item), item) for item in items) for items in (old, now))
    inside = _longer(path, "[]")
    gone = [(inside, item, MISSING) for _, item in (before - after).elements()]
    come = [(inside, MISSING, item) for _, item in (after - before).elements()]
    if not gone and not come and old != now:
        return [(path, json.dumps(old, ensure_ascii=False), json.dumps(now, ensure_ascii=False))]
    return gone + come


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _part(value: Any, key: str) -> Any:
    return MISSING if value is MISSING else value.get(key, MISSING)


def _key(path: str, key: str) -> str:
    shown = key or '""'
    return _longer(path, f".{shown}" if path else shown)


def _longer(path: str, step: str) -> str:
    """One step on. A path that is too long already stays as it is: no depth makes it longer."""
    if len(path) > MOST_PATH:
        return path
    longer = path + step
    return longer if len(longer) <= MOST_PATH else f"{longer[:MOST_PATH]}…"


def _same(old: Any, now: Any) -> bool:
    """In Python 1, 1.0 and true are the same; in JSON they are not."""
    return type(old) is type(now) and old == now


def _row(path: str, old: Any, now: Any) -> Row:
    start = 0
    if isinstance(old, str) and isinstance(now, str):
        start = max(0, _alike(old, now) - BEFORE_THE_DIFFERENCE)
    before, after = (None if value is MISSING else _shown(value, start) for value in (old, now))
    return Row(_writable(path), before, after)


def _alike(one: str, other: str) -> int:
    """How many characters two texts have in common before they differ."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _shown(value: Any, start: int = 0) -> Shown:
    """The value, from `start` on if it is too long to be shown as a whole."""
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) <= MOST_TEXT:
        start = 0
    cut = text[start : start + MOST_TEXT]
    return Shown(_writable(cut), isinstance(value, str), start, max(0, len(text) - start - MOST_TEXT))


def _writable(text: str) -> str:
    """JSON in a text may name half of a character, which no page can carry."""
    return text.encode("utf-8", "backslashreplace").decode()
