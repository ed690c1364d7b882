"""How pictures look: one palette, one colour for one thing everywhere."""

from __future__ import annotations

from typing import Any

# Okabe and Ito's palette (2008) and brown, told apart with every common kind of colour vision.
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
BROWN = "#8F4F1F"

# What stands for nothing: text, lines and ground. They follow the reader's light or dark screen.
INK = "#262730"
SOFT = "#5B5D68"
GRID = "#E6E6E6"
PAPER = "#FFFFFF"
ON_DARK = {INK: "#FAFAFA", SOFT: "#B4B7C0", GRID: "#3A3D46", PAPER: "#0E1117"}
"""What they are on a dark screen; all other colours are the same there."""
BLACK, WHITE = "#000000", "#FEFEFE"
"""Of text upon a colour, on any screen."""

CONTROLS = {"light": BLUE, "dark": SKY_BLUE}
"""Of what can be moved on a page: 4.9 : 1 in the side bar and more, on either screen."""

# One colour for one thing, on every picture, on paper and on the page ---------------------------

FIRST_DOSE = SKY_BLUE
"""also people who have one and wait for the second"""
FULLY_VACCINATED = BLUE
SCOPES = {"first": FIRST_DOSE, "full": FULLY_VACCINATED}
REACHED = GREEN
"""the goal, and what reaches it; calls answered"""
FAILED = VERMILLION
"""what does not reach it, does harm, is wrong"""
DOSES = ORANGE
"""and the lack of them"""
SLOTS = YELLOW
"""what units can serve, and people waiting there"""
TELEPHONE = PURPLE
"""and other channels; people who call, and calls in vain"""
TURN = BROWN
"""of a group"""
MISSED = "#3D3D3D"
"""appointments; this and the next two, greys, are people's own doing"""
UNWILLING = "#6A6A6A"
LATER = "#D4D4D4"
"""people who have not registered yet, or have a later appointment"""

THINGS = {
    "first dose": FIRST_DOSE,
    "fully vaccinated": FULLY_VACCINATED,
    "reached": REACHED,
    "failed": FAILED,
    "doses": DOSES,
    "slots": SLOTS,
    "telephone": TELEPHONE,
    "turn": TURN,
    "missed": MISSED,
    "unwilling": UNWILLING,
    "later": LATER,
}
"""All things that have a colour."""

SERIES = ("#6A5ACD", "#999933", "#A83263", "#551166", "#E3B287", INK)
"""For what has none (unit types, scenarios side by side), in order; none of them is a thing's."""

DEADLINE = PINNED = INK
"""Dotted and dashed."""
GOAL = REACHED

STOCK = {"store": DOSES, "units": "#F2CF80"}
CALLS = {
    "answered": REACHED,
    "abandoned": "#E6BDD4",
    "blocked": TELEPHONE,
    "cut_off": "#8A3F67",
}
"""Calls in vain in shades of the telephone's."""
WAITING = SLOTS
IN_SERVICE = INK

_REASONS = {
    "unwilling": UNWILLING,
    "never_reached_call_centre": TELEPHONE,
    "turn_too_late": TURN,
    "no_dose": DOSES,
    "no_slot": SLOTS,
    "not_shown_up": MISSED,
    "interval_not_over": FIRST_DOSE,
    "still_waiting": LATER,
}


def reason(name: str, scope: str) -> str:
    """The colour of those vaccinated (a first dose, fully), or of why others are not."""
    return SCOPES[scope] if name == "vaccinated" else _REASONS[name]


CONSTRAINTS: dict[str, tuple[str, str, str]] = {
    "slots": ("S", SLOTS, ""),
    "closed": ("C", SLOTS, "////"),
    "queue": ("Q", SLOTS, "xxxx"),
    "doses": ("D", DOSES, ""),
    "thrown_away": ("V", DOSES, "////"),
    "dose_elsewhere": ("E", DOSES, "...."),
    "no_show": ("N", MISSED, ""),
    "turn": ("T", TURN, ""),
    "telephone": ("P", TELEPHONE, ""),
    "other_channels": ("O", TELEPHONE, "...."),
    "registration": ("R", LATER, ""),
    "later_appointment": ("L", LATER, "...."),
    "willingness": ("W", UNWILLING, ""),
    "interval": ("I", FIRST_DOSE, ""),
    "first_dose": ("F", FIRST_DOSE, "...."),
    "nobody": ("–", PAPER, ""),
}
"""What binds: letter, colour and hatching, so that colour is not alone."""


def upon(colour: str) -> str:
    """The colour of text upon it: black or white, whichever differs more in luminance (WCAG 2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return BLACK if luminance > 0.179 else WHITE


def on_dark_screens(selector: str) -> str:
    """Rules of a style sheet for SVG: ink, ground and their like follow a dark screen.

    `selector` says how the SVG writes a property, such as `[{name}="{colour}"]`.
    """
    rules = "".join(
        f"{selector.format(name=name, colour=colour)}{{{name}:{dark}!important}}"
        for name in ("fill", "stroke")
        for colour, dark in ON_DARK.items()
    )
    return f"@media (prefers-color-scheme:dark){{{rules}}}"


SETTINGS: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.titlesize": 10,
    "savefig.dpi": 150,
    "svg.hashsalt": "vaxsim",
    "svg.fonttype": "path",
}
"""matplotlib settings of every picture; the salt makes SVG files the same each time."""

WIDTH = 7.5
"""inches: the text width of an A4 page, so that a picture prints at its own size"""
