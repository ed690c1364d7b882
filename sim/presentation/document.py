"""A page to hand on: written once as a list of blocks, rendered as one HTML file or as Markdown.

    >>> page = Document("Doses", [Section("June", [Paragraph("56,000 arrive.")])])
    >>> html(page).startswith("<!DOCTYPE html>")
    True

The HTML file needs nothing else: styles are in it, pictures are data or inline SVG, nothing is
asked of any server, and its Content-Security-Policy forbids scripts. It has the language in which
it was made, prints on A4, and is the same to the last byte whenever it is made again: pictures must
be so, too. Markdown is in `markdown.py`.

Whatever comes from a scenario is text, here as there: it is escaped, and cannot become a tag, a
link or a formula.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from sim import __version__
from sim.language import _, language

if TYPE_CHECKING:
    from jinja2 import Environment

WIDE = 5
"""Columns from which on a table may be wider than a small screen."""


# Text -----------------------------------------------------------------------------------------


class Code(str):
    """Text as a program reads or writes it: a dotted path, a command."""

    __slots__ = ()


class Strong(str):
    """Text that stands out."""

    __slots__ = ()


Text = str | Sequence[str]
"""A text, or several in a row, of which some may be `Code` or `Strong`."""


def pieces(text: Text) -> list[str]:
    """The texts in a row, without what would change how others are shown.

    Control characters (line ends too) and marks that turn the direction of writing are replaced.
    """
    row = [text] if isinstance(text, str) else list(text)
    return [type(piece)(_harmless(piece)) for piece in row if piece]


def _harmless(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+", " ", text)


# Blocks ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: Text
    kind: Literal["plain", "answer", "note"] = "plain"
    """answer: what the page has to say, larger; note: smaller"""
    language: str = ""
    """code of its language, if that is not the page's"""


@dataclass(frozen=True)
class Items:
    """A list."""

    items: Sequence[Text]
    ordered: bool = False
    language: str = ""


@dataclass(frozen=True)
class Table:
    """A table, with what it shows as its caption. The first column names the rows.

    A row of one cell is a heading of the rows that follow it.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Text]]
    align: str = ""
    """< or > for each column, as `terminal.table` has it; "": all to the left"""

    def __post_init__(self) -> None:
        """Raise ValueError for rows that are not as long as the heading."""
        if any(len(row) not in (1, len(self.columns)) for row in self.rows):
            raise ValueError(f"{self.caption}: a row has not {len(self.columns)} cells")
        if self.align and len(self.align) != len(self.columns):
            raise ValueError(f"{self.caption}: align has not {len(self.columns)} signs")

    @property
    def sides(self) -> str:
        """< or > for each column."""
        return self.align or "<" * len(self.columns)

    @property
    def scrolled(self) -> bool:
        """Whether it is scrolled on a small screen: many columns, of numbers."""
        return len(self.columns) >= WIDE and ">" in self.sides

    @property
    def stacked(self) -> bool:
        """Whether its cells stand below each other on a small screen: several columns of text."""
        return len(self.columns) >= WIDE - 1 and ">" not in self.sides and any(self.columns)


@dataclass(frozen=True)
class Listing:
    """Lines of a program or of a text that is set already, with what they are as their caption."""

    text: str
    caption: str = ""
    language: str = ""

    @property
    def lines(self) -> str:
        """The text, harmless line by line."""
        return "\n".join(map(_harmless, self.text.strip("\n").splitlines()))


@dataclass(frozen=True)
class Picture:
    """A picture with what it says in words (`alternative`), for those who do not see it."""

    content: bytes
    """of a PNG or SVG file"""
    alternative: str
    caption: str = ""
    media_type: Literal["image/svg+xml", "image/png"] = "image/svg+xml"

    @property
    def address(self) -> str:
        """The picture as a data URI."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"


@dataclass(frozen=True)
class Drawing:
    """An inline SVG of the project's own, whose text is text and whose colours follow the page.

    `svg` is what stands between <svg …> and </svg>. It is not escaped: whoever draws escapes what
    comes from a scenario. It has no `style` attributes (the page forbids them) but the classes of
    `document.css`: box, line, word, small.
    """

    svg: str
    width: int
    height: int
    alternative: str
    caption: str

    @property
    def wide(self) -> bool:
        """Whether it is scrolled on a small screen, so that its words can be read."""
        return self.width > 600


@dataclass(frozen=True)
class Section:
    """Blocks under a heading; sections may be in sections."""

    title: str
    blocks: Sequence[Block]


Block = Paragraph | Items | Table | Listing | Picture | Drawing | Section


@dataclass(frozen=True)
class Document:
    """A page."""

    title: str
    blocks: Sequence[Block]
    contents: bool = False
    """whether it begins with a table of contents: the sections, and those just below them"""
    made_by: Text = field(default_factory=lambda: f"vaxsim {__version__}")
    """at the foot"""


def blocks_in(blocks: Sequence[Block]) -> Iterator[Block]:
    """All blocks, those in sections too, in order."""
    for block in blocks:
        yield block
        if isinstance(block, Section):
            yield from blocks_in(block.blocks)


# HTML -----------------------------------------------------------------------------------------


def html(document: Document) -> str:
    """The page as one HTML file, in the language spoken."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    blocks = _numbered(document)
    page: str = (
        _environment()
        .get_template("document.html")
        .render(
            document=document,
            blocks=blocks,
            sections=[block for block in blocks if block["kind"] == "Section"],
            style=style,
            policy="; ".join(
                (
                    "default-src 'none'",
                    f"style-src 'sha256-{digest}'",
                    "img-src data:",
                    "base-uri 'none'",
                    "form-action 'none'",
                )
            ),
            language=language(),
            version=__version__,
        )
    )
    return page


def fragment(blocks: Sequence[Block]) -> str:
    """Blocks as a piece of HTML, for a part of a page that has a frame and a style of its own."""
    shown = _environment().get_template("blocks.html").make_module()
    return str(shown.show(_numbered(Document("", blocks), level=3)))  # type: ignore[attr-defined]


def _numbered(document: Document, level: int = 2) -> list[dict[str, Any]]:
    """What the template needs of each block: kind, block, an id, blocks below, level."""
    number = 0

    def of(blocks: Sequence[Block], level: int) -> list[dict[str, Any]]:
        nonlocal number
        found = []
        for block in blocks:
            number += 1
            found.append(
                {
                    "kind": type(block).__name__,
                    "block": block,
                    "id": f"b{number}",
                    "level": min(level, 6),
                    "below": of(block.blocks, level + 1) if isinstance(block, Section) else [],
                }
            )
        return found

    return of(document.blocks, level)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("sim.presentation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["_"] = _
    environment.filters["pieces"] = pieces
    environment.filters["options_whole"] = _options_whole
    environment.tests["code"] = lambda piece: isinstance(piece, Code)
    environment.tests["strong"] = lambda piece: isinstance(piece, Strong)
    return environment


def _options_whole(text: str) -> str:
    """HTML in which no line breaks within an option of the command line, such as --set."""
    from markupsafe import Markup, escape

    return Markup(_OPTION.sub(r'<span class="whole">\g<0></span>', str(escape(text))))


_OPTION = re.compile(r"--[a-z][a-z-]*")


@cache
def _style() -> str:
    """The style sheet, as it stands in the page."""
    from markupsafe import Markup

    return Markup(_environment().get_template("document.css").render())
