"""A curve of one line of text."""

from collections.abc import Sequence

from pam.health.growth import Point

BLOCKS = "▁▂▃▄▅▆▇█"
# For a terminal that knows no blocks.
PLAIN = "_.-~=+*#"


def curve(points: Sequence[Point], encoding: str | None, width: int = 40) -> str:
    """Sizes over time, evenly, from the least to the most; a column shows the last size that was known by then."""
    try:
        BLOCKS.encode(encoding or "utf-8")
        levels = BLOCKS
    except UnicodeEncodeError:
        levels = PLAIN
    begin, end = points[0].taken_at, points[-1].taken_at
    least = min(point.bytes for point in points)
    most = max(point.bytes for point in points)
    text = ""
    for column in range(width):
        time = begin + (end - begin) * column / (width - 1)
        size = [point.bytes for point in points if point.taken_at <= time][-1]
        text += levels[round((size - least) / (most - least) * (len(levels) - 1)) if most > least else 0]
    return text
