"""A page (`document.py`) as Markdown: CommonMark, with the pipe tables of GitHub.

Text is escaped, so that nothing that comes from a scenario becomes a tag, a link, an emphasis or a
heading. Pictures are told in their words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sim.presentation.document import (
    Block,
    Code,
    Document,
    Items,
    Listing,
    Paragraph,
    Section,
    Strong,
    Table,
    Text,
    pieces,
)


def markdown(document: Document) -> str:
    """The page as Markdown, in the language spoken."""
    parts = [
        f"# {_text(document.title)}",
        *_blocks(document.blocks, 2),
        "---",
        _paragraph(document.made_by),
    ]
    return "\n\n".join(parts) + "\n"


def _blocks(blocks: Sequence[Block], level: int) -> Iterator[str]:
    for block in blocks:
        match block:
            case Section():
                yield f"{'#' * min(level, 6)} {_text(block.title)}"
                yield from _blocks(block.blocks, level + 1)
            case Paragraph():
                said = _paragraph(block.text)
                yield f"**{said}**" if block.kind == "answer" else said
            case Items():
                yield "\n".join(
                    f"{f'{number}.' if block.ordered else '-'} {_paragraph(item)}"
                    for number, item in enumerate(block.items, start=1)
                )
            case Table():
                if block.caption:
                    yield f"**{_text(block.caption)}**"
                yield _table(block)
            case Listing():
                if block.caption:
                    yield _paragraph(block.caption)
                fence = "`" * max(3, _longest_ticks(block.lines) + 1)
                yield f"{fence}text\n{block.lines}\n{fence}"
            case _:
                if block.caption:
                    yield f"**{_text(block.caption)}**"
                yield _paragraph(block.alternative)


def _table(table: Table) -> str:
    rule = ["---:" if side == ">" else ":---" for side in table.sides]
    rows = [[_text(column) for column in table.columns], rule]
    for row in table.rows:
        cells = [_cell(cell) for cell in row]
        empty = [""] * (len(table.columns) - len(cells))
        rows.append([f"**{cells[0]}**", *empty] if empty else cells)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(text: Text) -> str:
    return "".join(
        _code(piece).replace("|", r"\|") if isinstance(piece, Code) else _piece(piece)
        for piece in pieces(text)
    )


def _paragraph(text: Text) -> str:
    """A text that begins a line: what would make it a list or a rule is escaped, too."""
    return re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", _text(text).strip())


def _text(text: Text) -> str:
    return "".join(map(_piece, pieces(text)))


def _piece(piece: str) -> str:
    if isinstance(piece, Code):
        return _code(piece)
    escaped = re.sub(r"([\\`*{}\[\]<>|~$&#]|(?<!\w)_|_(?!\w))", r"\\\1", piece).replace(
        "://", r"\://"
    )
    return f"**{escaped}**" if isinstance(piece, Strong) else escaped


def _code(piece: str) -> str:
    ticks = "`" * (_longest_ticks(piece) + 1)
    space = " " if piece.startswith("`") or piece.endswith("`") else ""
    return f"{ticks}{space}{piece}{space}{ticks}"


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
