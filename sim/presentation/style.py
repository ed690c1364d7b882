"""How pictures look: one palette, one colour for one thing everywhere."""

from __future__ import annotations

from typing import Any

# Okabe and Ito's palette (2008), told apart with every common kind of colour vision.
BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8C8C8C"
LIGHT_GREY = "#D9D9D9"

DARK = (BLUE, GREY, VERMILLION, GREEN, BLACK)
"""On these text is white."""

FIRST_DOSE = SKY_BLUE
FULLY_VACCINATED = BLUE
DEADLINE = VERMILLION
GOAL = GREEN
STOCK = PURPLE

ANSWERED = GREEN
ABANDONED = ORANGE
BLOCKED = VERMILLION
CUT_OFF = PURPLE

WAITING = ORANGE
IN_SERVICE = BLUE

CATEGORIES = (BLUE, SKY_BLUE, ORANGE, GREEN, PURPLE, YELLOW, VERMILLION, BLACK)
"""For things without a colour of their own, such as unit types, in order."""

SCENARIOS = (BLUE, ORANGE, GREEN, PURPLE, SKY_BLUE, BLACK)
"""For scenarios beside each other, in order."""

REASONS = {
    "vaccinated": BLUE,
    "unwilling": GREY,
    "never_reached_call_centre": VERMILLION,
    "turn_too_late": PURPLE,
    "no_dose": ORANGE,
    "no_slot": YELLOW,
    "not_shown_up": GREEN,
    "interval_not_over": SKY_BLUE,
    "still_waiting": LIGHT_GREY,
}

CONSTRAINTS: dict[str, tuple[str, str, str]] = {
    "slots": ("S", YELLOW, ""),
    "closed": ("C", "#F4F4F4", "////"),
    "doses": ("D", ORANGE, ""),
    "thrown_away": ("V", ORANGE, "////"),
    "dose_elsewhere": ("E", ORANGE, "...."),
    "no_show": ("N", GREEN, ""),
    "queue": ("Q", GREEN, "xxxx"),
    "later_appointment": ("L", BLUE, ""),
    "turn": ("T", PURPLE, ""),
    "other_channels": ("O", VERMILLION, "...."),
    "telephone": ("P", VERMILLION, ""),
    "registration": ("R", LIGHT_GREY, ""),
    "willingness": ("W", GREY, ""),
    "interval": ("I", SKY_BLUE, ""),
    "first_dose": ("F", SKY_BLUE, "...."),
    "nobody": ("–", "#FFFFFF", ""),
}
"""What binds: letter, colour and hatching, so that colour is not alone."""

SETTINGS: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
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
