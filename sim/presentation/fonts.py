"""Which installed font can write Thai: matplotlib's own cannot, and the project ships none."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

LATIN = "DejaVu Sans"
"""matplotlib's own; it writes whatever it can, and the Thai font the rest."""

PREFERRED = ("Waree", "Loma", "Garuda", "Noto Sans Thai", "Sarabun")
"""Sans-serif fonts that go well with it; else whichever is found."""

ADVICE = "fonts-thai-tlwg"
"""Debian's package of such fonts."""

_NEEDED = "กฮำ่ฯ๙"
"""A font that has these is for Thai: first and last letters, vowel, tone mark, sign, digit."""


def families() -> list[str]:
    """The families of every picture, in the order in which a letter is looked for in them."""
    thai = thai_family()
    return [LATIN] if thai is None else [LATIN, thai]


@cache
def thai_family() -> str | None:
    """The family of an installed font that covers Thai; None where there is none.

    Fonts are looked for in the system's folders, not in matplotlib's list, which it keeps from
    before a font was installed.
    """
    found: dict[str, Path] = {}
    for path in sorted(font_manager.findSystemFonts()):
        try:
            font = FT2Font(path)
        except (OSError, RuntimeError):  # not a font that can be read
            continue
        regular = font.style_name in ("Regular", "Book", "Roman", "Medium")
        if regular and all(font.get_char_index(ord(letter)) for letter in _NEEDED):
            found.setdefault(font.family_name, Path(path))
    if not found:
        return None
    family = next((name for name in PREFERRED if name in found), min(found))
    font_manager.fontManager.addfont(found[family])
    return family
