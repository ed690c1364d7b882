"""Claims about colours: one for one thing everywhere, told apart by everybody, text readable."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rc_params_from_file
from numpy.typing import NDArray

from sim.model.records import REASONS
from sim.presentation import style

ROOT = Path(__file__).parent.parent
Vector = NDArray[np.float64]

# Machado, Oliveira and Fernandes (2009): what people without one kind of cone see, linear sRGB
VISION = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
         [0.004733, 0.691367, 0.303900]]
    ),
}  # fmt: skip
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip
"""of linear sRGB (IEC 61966-2-1)"""


def linear(colour: str) -> Vector:
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def seen(colour: str, vision: str) -> Vector:
    """CIELAB, in which a difference of 2.3 is just noticed."""
    x = XYZ @ np.clip(VISION[vision] @ linear(colour), 0, 1) / XYZ.sum(axis=1)
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    """WCAG 2: of relative luminances."""
    lower, higher = sorted(float(XYZ[1] @ linear(colour)) for colour in (one, other))
    return (higher + 0.05) / (lower + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize(
    "colours",
    [style.THINGS.values(), style.SERIES, style.CALLS.values(), style.STOCK.values()],
    ids=["things", "series", "calls", "stock"],
)
def test_colours_are_told_apart_by_everybody(colours: tuple[str, ...], vision: str) -> None:
    """Six times what is just noticed, whichever two stand beside each other."""
    for one, other in combinations(colours, 2):
        difference = float(np.linalg.norm(seen(one, vision) - seen(other, vision)))
        assert difference > 6 * 2.3, (one, other)


def test_text_upon_every_colour_can_be_read() -> None:
    """4.5 : 1 is what WCAG asks of text."""
    constraints = {colour for _letter, colour, _hatching in style.CONSTRAINTS.values()}
    for colour in {*style.THINGS.values(), *style.SERIES, *style.CALLS.values(), *constraints}:
        assert contrast(colour, style.upon(colour)) > 4.5, colour
    for light, dark in style.ON_DARK.items():
        if light not in (style.PAPER, style.GRID):
            assert contrast(light, style.PAPER) > 4.5
            assert contrast(dark, style.ON_DARK[style.PAPER]) > 4.5


def test_one_colour_is_of_one_thing() -> None:
    """What holds somebody back is one thing in the reasons, the calendar, doses and telephones."""
    assert len(set(style.THINGS.values())) == len(style.THINGS)
    assert not set(style.SERIES) & set(style.THINGS.values())
    calendar = {name: colour for name, (_letter, colour, _hatching) in style.CONSTRAINTS.items()}
    for scope in style.SCOPES:
        of = {name: style.reason(name, scope) for name in REASONS}
        assert of["vaccinated"] == style.SCOPES[scope]
        assert of["no_dose"] == calendar["doses"] == style.STOCK["store"] == style.DOSES
        assert of["no_slot"] == calendar["slots"] == calendar["closed"] == style.SLOTS
        assert of["never_reached_call_centre"] == calendar["telephone"] == style.CALLS["blocked"]
        assert of["turn_too_late"] == calendar["turn"] == style.TURN
        assert of["interval_not_over"] == calendar["interval"] == style.FIRST_DOSE
        assert of["unwilling"] == calendar["willingness"] == style.UNWILLING
        assert of["not_shown_up"] == calendar["no_show"] == style.MISSED
        assert of["still_waiting"] == calendar["registration"] == style.LATER
    assert style.FAILED not in {*calendar.values(), style.DEADLINE, *style.CALLS.values()}


def test_notebooks_have_the_same_colours() -> None:
    """In the order that their style file tells; its comment is what their cells rely on."""
    settings = rc_params_from_file(
        ROOT / "notebooks" / "vaxsim.mplstyle", use_default_template=False
    )
    things = (
        style.FIRST_DOSE, style.FULLY_VACCINATED, style.REACHED, style.DEADLINE, style.WAITING,
        style.CALLS["blocked"], style.CALLS["abandoned"],
    )  # fmt: skip
    colours = [each["color"] for each in settings["axes.prop_cycle"]]
    assert colours == [*things, *style.SERIES[:-1]]


def test_colours_are_chosen_in_one_place() -> None:
    """A colour by its number or name anywhere else would be another colour of the same thing."""
    by_hand = re.compile(
        r"#[0-9A-Fa-f]{3}\b(?![0-9A-Za-z])|#[0-9A-Fa-f]{6}\b|style\.(BLUE|SKY_BLUE|ORANGE|GREEN|"
        r"YELLOW|VERMILLION|PURPLE|BROWN)\b|colou?r=\"(?!none|currentColor)[a-z]"
    )
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted((ROOT / "sim").rglob("*.py"))
        if path.name != "style.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if by_hand.search(line)
    ]
    assert not found
