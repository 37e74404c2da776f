"""What was measured: ratios, each with its base; as Markdown for people and as a document for programs."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class Row:
    """Ratios by what they are of, and the values of their base by unit; `point` is where a chart shows them."""

    what: str
    ratios: dict[str, float]
    base: dict[str, float]
    point: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """One figure of the benchmark. `base` names what 1 stands for, `how` says how it was measured."""

    title: str
    base: str
    how: str
    rows: list[Row]


def markdown(letter: str, figure: Figure) -> str:
    """A heading and a table."""
    columns = list(figure.rows[0].ratios)
    lines = [
        f"**{letter}. {figure.title}** {figure.how}",
        "",
        _line(["", *columns, f"1 is {figure.base}"]),
        _line(["---", *["---:" for _ in columns], "---"]),
    ]
    for row in figure.rows:
        base = ", ".join(f"{number(value)} {unit}" for unit, value in row.base.items())
        lines.append(_line([row.what, *(number(row.ratios[column]) for column in columns), base]))
    return "\n".join(lines)


def number(value: float) -> str:
    """What was counted as it is; else three digits that count, never as a power of ten."""
    return f"{value:,}" if isinstance(value, int) else f"{Decimal(f'{value:#.3g}'):,f}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
