"""What it would take to reach a goal: as text and as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from sim.experiment.goals import read_goal
from sim.experiment.study import Study
from sim.language import _
from sim.model.records import CAUSES
from sim.presentation import style
from sim.presentation.figures import new_figure
from sim.presentation.goal_words import clause, reached, share, statement
from sim.presentation.terminal import between, count, on, table

_SHORT_LIST = 5
_CAUSES_SHOWN = 2


def text(study: Study) -> str:
    """The answer in words, then each lever alone, combinations, and how to set them."""
    view = _View(study)
    if study.answer["reached_already"]:
        return view.sentence()
    sections = [
        [view.sentence()],
        view.options_table("One lever at a time", ("plan", "alone")),
        view.options_table("Together", ("together", "widest", "nearest", "all_widest", "further")),
        view.ceiling_table(),
        view.how_to_set(),
        view.notes(),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section)


def pictures(study: Study) -> Iterator[tuple[str, Figure]]:
    """Ceiling and simulated value of every option, against the goal; none if it needs nothing."""
    if study.answer["reached_already"]:
        return
    view = _View(study)
    with mpl.rc_context(style.SETTINGS):
        yield "goal", view.picture()


_KINDS = {
    "doses": "doses", "arrivals": "late deliveries", "slots": "slots", "turns": "turns",
    "people": "people whose turn has come", "interval": "the interval between doses",
    "doses_and_people": "doses and people whose turn has come, together",
    "arrivals_and_turns": "deliveries and turns, together",
}  # fmt: skip


class _View:
    """A study, and how its numbers are said."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.answer = study.answer
        self.scenario = study.scenario
        self.goal = read_goal(self.answer["goal"], self.scenario)
        self.options = study.table("options")
        self.changes = study.table("changes")
        self.limits = study.table("limits")
        self.missing = study.table("missing")

    # Words ------------------------------------------------------------------------------------

    def sentence(self) -> str:
        """Whether it can be reached, with what, and if not, why not."""
        sure = f"with a probability of at least {share(self.answer['probability'])}"
        if self.answer["reached_already"]:
            row: Any = self.options.loc[0]
            return _(
                "{goal} as it is, with a probability of at least {probability}: in {times} of {n} "
                "replications, and with {values}. Nothing has to be changed."
            ).format(
                goal=statement(self.goal),
                probability=share(self.answer["probability"]),
                times=f"{row['fresh_reached']:,}",
                n=f"{row['fresh_replications']:,}",
                values=self._simulated(0),
            )
        best = self.answer["cheapest"]
        if best is None:
            return " ".join(self._not_reachable(sure))
        parts = [f"{statement(self.goal)} {sure} if {self._words(best)}{self._how_often(best)}."]
        others = [n for n in self.answer["alone_enough"] if n != best]
        if others:
            parts.append(f"Enough alone, too: {'; '.join(map(self._words, others))}.")
        elif len(self.changes[self.changes["option"] == best]) > 1:
            parts.append("No single lever is enough.")
        return " ".join(parts)

    def _not_reachable(self, sure: str) -> Iterator[str]:
        yield f"Not reachable with these levers: {clause(self.goal)} {sure}."
        for kind, whose in (("widest", "all of them"), ("all_widest", "all levers there are")):
            for n in self._of_kind(kind):
                yield (
                    f"Even with {whose} as far as they go it is {self._simulated(n)}: "
                    f"{self._in_the_way(n)}."
                )
        for kind, begin in (("nearest", "With these levers,"), ("further", "With further levers,")):
            for n in self._of_kind(kind):
                if self.options.loc[n, "verdict"] == "enough":
                    goal = read_goal(str(self.options.loc[n, "goal"]), self.scenario)
                    said = statement(goal)
                    yield (
                        f"{begin} {said[0].lower()}{said[1:]} {sure} if "
                        f"{self._words(n)}{self._how_often(n)}."
                    )

    def _of_kind(self, *kinds: str) -> list[int]:
        return [int(n) for n in self.options.index[self.options["kind"].isin(kinds)]]

    def _words(self, n: int) -> str:
        words = list(self.changes.loc[self.changes["option"] == n, "words"])
        if not words:
            return "nothing is changed"
        return " and ".join(filter(None, [", ".join(words[:-1]), str(words[-1])]))

    def _how_often(self, n: int) -> str:
        row: Any = self.options.loc[n]
        return (
            f" (reached in {row['fresh_reached']:,} of {row['fresh_replications']:,} "
            "replications that took no part in the search)"
        )

    def _simulated(self, n: int) -> str:
        row: Any = self.options.loc[n]
        if reached(row["least"], self.goal) == reached(row["greatest"], self.goal):
            return reached(row["least"], self.goal)
        return between(row["least"], row["greatest"], self.goal.unit)

    def _in_the_way(self, n: int) -> str:
        if self.options.loc[n, "verdict"] == "ceiling":
            found = self.limits[self.limits["option"] == n]
            pairs = found["kind"].str.contains("_and_")
            found = found[~pairs] if (~pairs).any() else found
            kinds = [
                f"{_KINDS[row['kind']]} ({_days(row['first'], row['last'])})"
                for row in found.drop_duplicates("kind").to_dict("records")
            ]
            return "the ceiling holds: " + (", ".join(kinds) or "several limits at once")
        found = self.missing[self.missing["option"] == n].sort_values("persons", ascending=False)
        if not len(found):
            return "not enough"
        found = found.head(_CAUSES_SHOWN)
        return "; ".join(
            f"{count(row['persons'])} ({_(CAUSES[row['cause']].meaning)})"
            for row in found.to_dict("records")
        )

    # Tables -----------------------------------------------------------------------------------

    def options_table(self, heading: str, kinds: tuple[str, ...]) -> list[str]:
        """A line an option: change, ceiling, simulated, verdict."""
        numbers = self._of_kind(*kinds)
        if not set(numbers) - set(self._of_kind("plan")) and heading == "Together":
            return []
        rows = [("", "ceiling", "simulated", "cost", "")]
        for n in numbers:
            row: Any = self.options.loc[n]
            ceiling = "" if pd.isna(row["ceiling"]) else self._ceiling(row)
            words = self._in_the_way(n)
            if row["verdict"] in ("enough", "unconfirmed"):
                begin = "enough" if row["verdict"] == "enough" else "not confirmed"
                goal = "" if row["goal"] == str(self.goal) else f" for {row['goal']}"
                words = f"{begin}{goal}: {row['fresh_reached']} of {row['fresh_replications']}"
            lines = self._label(n)
            rows.append((lines[0], ceiling, self._simulated(n), f"{row['cost']:.2f}", words))
            rows += [(f"  {line}", "", "", "", "") for line in lines[1:]]
        return [heading, *table(rows, "<>>><")]

    def _label(self, n: int) -> list[str]:
        kind = str(self.options.loc[n, "kind"])
        fixed = {"plan": "as it is", "widest": "all levers named, as far as they go",
                 "all_widest": "all levers there are, as far as they go"}  # fmt: skip
        if kind in fixed:
            return [fixed[kind]]
        return list(self.changes.loc[self.changes["option"] == n, "words"]) or ["nothing changed"]

    def _nearby(self, n: int) -> list[str]:
        """For which other goal an option is enough, if for one."""
        goal = read_goal(str(self.options.loc[n, "goal"]), self.scenario)
        return [] if goal == self.goal else [f"(for {share(goal.amount)})"]

    def _ceiling(self, row: Any) -> str:
        of_target = row["ceiling"] / self.scenario.target
        return f"{count(row['ceiling'])} ({share(of_target)})"

    def ceiling_table(self) -> list[str]:
        """The cheapest combinations of doses, slots and turns that the ceiling allows."""
        points = self.study.table("ceiling_points")
        groups = list(points.groupby("point"))[:_SHORT_LIST]
        if not groups:
            return []
        rows = [(f"{group['cost'].sum():.2f}", " and ".join(group["words"])) for _, group in groups]
        more = points["point"].nunique() - len(groups)
        heading = "On the ceiling alone (doses, slots, turns; the telephone being no obstacle)"
        return [
            f"{heading}: smallest combinations, with their cost",
            *table(rows, "><"),
            *([f"  ... and {more} more in the table ceiling_points"] if more else []),
        ]

    def how_to_set(self) -> list[str]:
        """The values of the cheapest option that is enough."""
        enough = self.options[self.options["verdict"] == "enough"]
        n = self.answer["cheapest"]
        if n is None and len(enough):
            n = int(enough.index[-1])
        settings = self.study.table("settings")
        lines = list(settings.loc[settings["option"] == n, "setting"]) if n is not None else []
        goal = self.options.loc[n, "goal"] if lines else ""
        return [f"To try it ({goal}):", *(f"  --set '{line}'" for line in lines)] if lines else []

    def notes(self) -> list[str]:
        """What smallest means, and what was spent."""
        lines = [
            "Cost: the sum of the changes, each as a multiple of what there is, unless --cost says "
            "otherwise. Each size is",
            "the smallest that will do beside the others; other combinations may be as cheap. "
            f"{self.answer['replications']:,} replications were spent.",
        ]
        if self.goal.scope is not None and not self.answer["ceiling_is_certain"]:
            lines.append(
                "Deliveries, walk-ins or willingness vary: the ceiling is that of their means, and "
                "only the simulation decides."
            )
        return lines

    # Picture ----------------------------------------------------------------------------------

    def picture(self) -> Figure:
        """A line an option: diamond the ceiling, dot and range the simulation."""
        labels = ["\n".join([*self._label(n), *self._nearby(n)]) for n in self.options.index]
        heights = [label.count("\n") + 1.6 for label in labels]
        places, top = [], 0.0
        for height in heights:
            places.append(top + height / 2)
            top += height
        title = f"What would it take? {statement(self.goal)}"
        figure = new_figure(title, self.scenario.title, 1.3 + 0.17 * top)
        axes = figure.subplots()
        for n, y in zip(self.options.index, places, strict=True):
            row: Any = self.options.loc[n]
            colour = style.GREEN if row["verdict"] == "enough" else style.BLUE
            ceiling = row["ceiling"]
            if not pd.isna(ceiling):
                ceiling /= self.scenario.target
                axes.plot([row["mean"], ceiling], [y, y], color=style.LIGHT_GREY, lw=1, zorder=1)
                axes.plot(ceiling, y, "D", mfc="white", mec=style.GREY, ms=5)
            axes.plot([row["least"], row["greatest"]], [y, y], color=colour, lw=3, zorder=2)
            axes.plot(row["mean"], y, "o", color=colour, ms=5)
        axes.axvline(self.goal.amount, color=style.DEADLINE, ls=":", lw=1.2)
        axes.set_yticks(places, labels)
        axes.set_ylim(top, 0)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        if self.goal.scope is not None:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:g} %"))
        what = _("of the target") if self.goal.scope else self.goal.measure
        if self.goal.of_population:
            what = _("of all inhabitants")
        axes.set_xlabel(
            _("{what} by {day}; dotted: the goal").format(what=what, day=on(self.goal.by))
        )
        handles = [
            mpl.lines.Line2D([], [], color=style.BLUE, marker="o", ms=5, lw=3, label="simulated"),
            mpl.lines.Line2D(
                [], [], color=style.GREEN, marker="o", ms=5, lw=3,
                label=f"confirmed with {share(self.answer['probability'])} probability",
            ),
        ]  # fmt: skip
        if self.goal.scope is not None:
            handles.append(
                mpl.lines.Line2D(
                    [], [], mfc="white", mec=style.GREY, marker="D", ms=5, lw=0,
                    label="ceiling: most that is possible",
                )
            )  # fmt: skip
        figure.legend(handles=handles, loc="outside lower left", ncols=3)
        return figure


def _days(first: pd.Timestamp, last: pd.Timestamp) -> str:
    begin, end = f"{first.day} {first:%b}", f"{last.day} {last:%b}"
    return begin if begin == end else f"{begin} – {end}"
