"""Numbers in words, and plain-text tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import category

from sim.experiment.replications import counted
from sim.experiment.statistics import Estimate
from sim.language import _, named
from sim.presentation.document import Items, Listing, Table, Text, pieces

# Numbers --------------------------------------------------------------------------------------


FEW = 20
"""Of fewer replications 5 % is less than one: what lies beyond a band is not seen."""


def caution(n: int) -> str:
    """What is said beside a range that is known from few replications, as "from only 5 ..."."""
    if not 1 < n < FEW:
        return ""
    return _("from only {replications}").format(replications=counted(n))


def count(number: float) -> str:
    """A number of persons, doses or calls."""
    return f"{round(number):,}"


def percent(share: float) -> str:
    """A share with one decimal; never rounded up to 100 % nor down to 0 %."""
    value = 100 * share
    if 99.95 <= value < 100:
        return _("over 99.9 %")
    if 0 < value < 0.05:
        return _("under 0.1 %")
    return _("{number} %").format(number=f"{value:.1f}")


def amount(value: float, unit: str, decimals: int = 0) -> str:
    """A value in the way its unit is written; with so many decimals at least (but a share)."""
    if unit == "share":
        return percent(value)
    if unit == "min":
        return _("{number} min").format(number=f"{value:,.{max(decimals, 1)}f}")
    if unit == "h":
        return _("{number} h").format(number=f"{value:,.{decimals}f}" if decimals else count(value))
    if unit == "calls per booking":
        return f"{value:.{max(decimals, 2)}f}"
    if decimals or (abs(value) < 10 and value != round(value)):
        return f"{value:,.{max(decimals, 1)}f}"
    return count(value)


def in_words(name: str) -> str:
    """A name from a scenario file as words, such as a station's or a type of unit."""
    return named(name.replace("_", " "))


def signed(value: float, unit: str) -> str:
    """A difference with its sign; of shares in percentage points (pp)."""
    if unit == "share":
        text = _("{number} pp").format(number=f"{100 * abs(value):.2f}")
    elif unit == "min":
        text = _("{number} min").format(number=f"{abs(value):,.2f}")
    elif unit == "days":
        text = _("{number} days").format(number=f"{abs(value):,.1f}")
    else:
        text = amount(abs(value), unit)
    zero = not any(digit in text for digit in "123456789")
    return text if zero else f"{'−' if value < 0 else '+'}{text}"


def interval(estimate: Estimate, unit: str) -> str:
    """The confidence interval in words."""
    if estimate.low is None or estimate.high is None:
        return ""
    if estimate.low == estimate.high:
        return _("the same in all")
    return between(estimate.low, estimate.high, unit)


def between(low: float, high: float, unit: str, decimals: int = 0) -> str:
    """From low to high, the unit said once; with so many decimals at least."""
    begin, end = amount(low, unit, decimals), amount(high, unit, decimals)
    number, space, suffix = begin.partition(" ")
    return f"{number if end.endswith(space + suffix) else begin} – {end}"


def table(rows: Iterable[Sequence[str]], align: str) -> list[str]:
    """Rows as aligned lines; `align` has < or > for each column."""
    rows = list(rows)
    widths = [max(width_of(row[i]) for row in rows) for i in range(len(align))]
    return [
        "  "
        + "  ".join(
            f"{cell:{side}{width + len(cell) - width_of(cell)}}"
            for cell, side, width in zip(row, align, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


Part = str | Table | Items | Listing
"""What a section of an answer is made of; a text is a line of its own."""


def as_text(sections: Iterable[Sequence[Part]]) -> str:
    """Sections as plain text, with an empty line between them."""
    texts = ("\n".join(line for part in section for line in plain(part)) for section in sections)
    return "\n\n".join(filter(None, texts))


def plain(part: Part) -> list[str]:
    """A part of a section as lines; nothing of a table without rows."""
    if isinstance(part, str):
        return [part]
    if isinstance(part, Items):
        return [f"  {''.join(item)}" for item in part.items]
    caption = [part.caption] if part.caption else []
    if isinstance(part, Listing):
        return [*caption, *(f"  {line}" for line in part.lines.split("\n"))]
    if not part.rows:
        return []
    heading = [part.columns] if any(part.columns) else []
    rows = [as_texts(row) for row in (*heading, *part.rows)]
    width = len(part.columns)
    lines = iter(table([row for row in rows if len(row) == width], part.sides))
    return [*caption, *(next(lines) if len(row) == width else row[0] for row in rows)]


def as_texts(row: Sequence[Text]) -> list[str]:
    """The cells of a row, without what is marked in them."""
    return ["".join(pieces(cell)) for cell in row]


def width_of(text: str) -> int:
    """How many places a text takes in a terminal: Thai vowels and tone marks take none."""
    return len(text) if text.isascii() else sum(category(c) not in ("Mn", "Me") for c in text)
