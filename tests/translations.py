"""Brings the catalog of Thai texts up to date with the program: `python tests/translations.py`.

New texts are added without a translation, texts that are gone are dropped, and the compiled
catalog is written again. Prints what is still to be translated.
"""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import typer
from babel.messages.catalog import Catalog, Message
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from sim.cli import app, with_help
from sim.experiment.new_scenario import words_of_template
from sim.model.ledger import LAWS
from sim.model.records import TABLES
from sim.scenario import Scenario

ROOT = Path(__file__).parent.parent
PO = ROOT / "sim" / "locale" / "th" / "LC_MESSAGES" / "vaxsim.po"
MO = PO.with_suffix(".mo")

_NOT_KEPT = re.compile(
    r'^"(Report-Msgid-Bugs-To|POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team'
    r"|Generated-By):.*\n",
    re.MULTILINE,
)
"""Parts of a catalog's heading that say nothing here."""

_PLACEHOLDER = re.compile(r"\{(\w*)[^}]*\}")


def extracted() -> Catalog:
    """All texts of the program, its help, its schema, and titles and names in its scenarios."""
    with tempfile.TemporaryDirectory() as folder:
        pot = Path(folder, "messages.pot")
        options = ["-F", "pyproject.toml", "-k", "N_", "--add-location=file"]
        with contextlib.chdir(ROOT):  # so that paths in the catalog are relative
            CommandLineInterface().run(["pybabel", "-q", "extract", *options, "-o", str(pot), "."])
        with pot.open("rb") as file:
            texts = read_po(file)
    for text in dict.fromkeys(
        [
            *_helps(),
            *_meanings(Scenario.model_json_schema()),
            *_sides_of_laws(),
            *_words_of_tables(),
            *words_of_template(),
        ]
    ):
        texts.add(text)
    return texts


def _helps() -> Iterator[str]:
    """Texts of `--help`."""
    return (part.help for part in with_help(typer.main.get_command(app)))


def _meanings(schema: object) -> Iterator[str]:
    """What the fields of a scenario mean."""
    if isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            yield schema["description"]
        for below in schema.values():
            yield from _meanings(below)


def _sides_of_laws() -> Iterator[str]:
    """What the laws of the audit compare."""
    for law in LAWS.values():
        yield from filter(None, (law.left, law.right, law.reason, law.unit))


def _words_of_tables() -> Iterator[str]:
    """What a row of each table of a run is, and its columns."""
    for table in TABLES.values():
        yield table.row
        for column in table.columns:
            yield from filter(None, (column.unit, column.meaning))


def catalog() -> Catalog:
    """The catalog as it is."""
    with PO.open("rb") as file:
        return read_po(file, locale="th")


def compiled(texts: Catalog) -> bytes:
    """The compiled catalog: the same bytes whenever it is made."""
    texts.creation_date = datetime(2021, 5, 21, tzinfo=UTC)  # else the present minute
    out = io.BytesIO()
    write_mo(out, texts)
    return out.getvalue()


def update() -> Catalog:
    """Write both files anew; returns the catalog."""
    texts = catalog()
    texts.update(extracted(), no_fuzzy_matching=True, update_creation_date=False)
    texts.obsolete.clear()
    for message in texts:
        message.flags -= {"python-format", "python-brace-format"}  # ours have braces, all of them
    out = io.BytesIO()
    write_po(out, texts, width=0)
    PO.write_text(_NOT_KEPT.sub("", out.getvalue().decode()), encoding="utf-8")
    MO.write_bytes(compiled(catalog()))
    return texts


def forms(message: Message) -> tuple[list[str], list[str]]:
    """The English forms of a message (singular, plural) and the Thai."""
    english = [message.id] if isinstance(message.id, str) else list(message.id)
    thai = list(message.string) if isinstance(message.string, tuple) else [message.string or ""]
    return english, thai


def untranslated(texts: Catalog) -> list[str]:
    """English texts without a Thai one."""
    return [forms(message)[0][0] for message in texts if message.id and not all(forms(message)[1])]


def mismatched(texts: Catalog) -> Iterator[str]:
    """Translations whose placeholders are not those of the English text."""
    for message in texts:
        english, thai = forms(message)
        if not message.id or not all(thai):
            continue
        wanted = set(_PLACEHOLDER.findall(english[-1]))  # Thai has one form, and it is for many
        if set(_PLACEHOLDER.findall(thai[0])) != wanted:
            yield english[0]


if __name__ == "__main__":
    for text in untranslated(update()):
        print(text)
