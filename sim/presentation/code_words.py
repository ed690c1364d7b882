"""What the code says about itself, as blocks of a page: rules are told where they are written.

It is read from the source, so that it is there however Python was started.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module

from sim.presentation.document import Block, Code, Items, Listing, Paragraph, Strong
from sim.random_streams import Stream

CONTRACT = "sim.engine.contract"
DAY = "sim.model.campaign"
LANGUAGE = "en"
"""of the code, whatever the page speaks"""


def module_words(module: str) -> list[Block]:
    """What a module says at its top: its paragraphs, and as listings what is indented there."""
    return list(_blocks(_docstring(module)))


def name_words(module: str, name: str) -> list[Block]:
    """What a function or class of a module says about itself."""
    return list(_blocks(_docstring(module, name)))


def chapters(module: str) -> dict[str, str]:
    """Chapters of a module's text (headings underlined with =) by heading; "" is the beginning."""
    parts = re.split(r"^(.+)\n=+\n", _docstring(module), flags=re.MULTILINE)
    return {
        "": parts[0].strip(),
        **dict(zip(parts[1::2], map(str.strip, parts[2::2]), strict=True)),
    }


def order_of_day() -> list[tuple[str, str]]:
    """(name, what happens) of the steps of a campaign day, in order."""
    return re.findall(r"^    (\w+) +(\S.*)$", _docstring(DAY), flags=re.MULTILINE)


def streams() -> list[tuple[Stream, str]]:
    """Every random stream with what its words are."""
    said = re.findall(r"^ +(\w+) = \d+ +# (.+)$", inspect.getsource(Stream), flags=re.MULTILINE)
    words = dict(said)
    return [(stream, words.get(stream.name, "")) for stream in Stream]


def inline(text: str) -> list[str]:
    """Running text, in which `...` is code, **...** is strong and *...* is as it is."""
    found: list[str] = []
    for piece in re.split(r"(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)", " ".join(text.split())):
        if piece.startswith("`"):
            found.append(Code(piece.strip("`")))
        elif piece.startswith("**"):
            found.append(Strong(piece.strip("*")))
        else:
            found.append(piece.strip("*") if len(piece) > 2 else piece)
    return found


def _blocks(text: str) -> Iterator[Block]:
    for part in re.split(r"\n\s*\n", text):
        if part.startswith("    "):
            yield Listing(textwrap.dedent(part), language=LANGUAGE)
        elif part.startswith("1. "):
            items = re.split(r"\n(?=\d\. )", part)
            yield Items([inline(item[3:]) for item in items], ordered=True, language=LANGUAGE)
        elif part.strip():
            yield Paragraph(inline(part), language=LANGUAGE)


def _docstring(module: str, name: str = "") -> str:
    tree = ast.parse(inspect.getsource(import_module(module)))
    node: ast.Module | ast.FunctionDef | ast.ClassDef = tree
    if name:
        (node,) = [
            each
            for each in tree.body
            if isinstance(each, ast.FunctionDef | ast.ClassDef) and each.name == name
        ]
    return ast.get_docstring(node) or ""
