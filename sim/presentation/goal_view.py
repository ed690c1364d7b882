"""What it would take to reach a goal: as text and as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from sim.experiment.exchanges import LEAST_SAVING
from sim.experiment.feasibility import NOT_YET, not_yet_words
from sim.experiment.goals import read_goal
from sim.experiment.levers import read_levers
from sim.experiment.measures import on
from sim.experiment.study import Study
from sim.language import N_, _, language, named, ngettext, short_date
from sim.model.records import CAUSES
from sim.presentation import style
from sim.presentation.document import Listing, Table
from sim.presentation.figures import drawing, new_figure, wrapped
from sim.presentation.goal_words import (
    clause,
    decimals,
    measure_words,
    reached,
    share,
    statement,
    thing,
)
from sim.presentation.terminal import Part, amount, between, count, percent

_SHORT_LIST = 5
_CAUSES_SHOWN = 2
NEARLY_ALL = 0.9995
"""Shares above this are told by how many people are missing."""
_LABEL_WIDTH = 45
"""letters in a line of a label in the picture"""


def sections(study: Study) -> list[list[Part]]:
    """The answer in words, then each lever alone, combinations, and how to set them."""
    view = _View(study)
    if study.answer["reached_already"] is not False:
        return [[view.sentence()]]
    return [
        [view.sentence()],
        view.options_table(_("One lever at a time"), ("plan", "alone")),
        view.options_table(
            _("Together"), ("together", "widest", "nearest", "all_widest", "further")
        ),
        view.ceiling_table(),
        view.how_to_set(),
        [*view.notes()],
    ]


def pictures(study: Study) -> Iterator[tuple[str, Figure]]:
    """Ceiling and simulated value of every option, against the goal; none if it needs nothing."""
    if study.answer["reached_already"] is not False:
        return
    view = _View(study)
    with drawing():
        yield "goal", view.picture()


_KINDS = {
    "doses": N_("doses"), "arrivals": N_("late deliveries"), "slots": N_("slots"),
    "turns": N_("turns"),
    "people": N_("people whose turn has come"), "interval": N_("the interval between doses"),
    "doses_and_people": N_("doses and people whose turn has come, together"),
    "arrivals_and_turns": N_("deliveries and turns, together"),
}  # fmt: skip


_JUDGED = {
    "enough": (N_("enough: {times} of {n}"), N_("enough for {goal}: {times} of {n}")),
    "unconfirmed": (
        N_("not confirmed: {times} of {n}"), N_("not confirmed for {goal}: {times} of {n}")
    ),
    "unfinished": (
        N_("not finished: {times} of {n}"), N_("not finished for {goal}: {times} of {n}")
    ),
}  # fmt: skip
"""What fresh replications say, by verdict: of the goal asked for, and of another."""


class _View:
    """A study, and how its numbers are said."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.answer = study.answer
        self.scenario = study.scenario
        self.goal = read_goal(self.answer["goal"], self.scenario)
        self.options = study.table("options")
        self.changes = self._translated(study.table("changes"))
        self.limits = study.table("limits")
        self.missing = study.table("missing")

    def _translated(self, changes: pd.DataFrame) -> pd.DataFrame:
        """Changes of levers with their words in the language spoken: results have English ones."""
        if language() == "en":
            return changes
        levers = {
            name: read_levers(name, self.scenario, self.goal)[0]
            for name in changes["lever"].unique()
        }
        pairs = zip(changes["lever"], changes["size"], strict=True)
        return changes.assign(words=[levers[name].words(int(size)) for name, size in pairs])

    # Words ------------------------------------------------------------------------------------

    def sentence(self) -> str:
        """Whether it can be reached, with what, and if not, why not."""
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
        if self.answer["reached_already"] is None:
            return " ".join(self._too_few_to_tell())
        best = self.answer["cheapest"]
        if best is None:
            return " ".join(self._not_reachable())
        parts = [
            self._enough_if(
                best,
                _(
                    "{goal} with a probability of at least {probability} if {changes} (reached in "
                    "{times:,} of {n:,} replications that took no part in the search)."
                ),
                statement(self.goal),
            )
        ]
        others = [n for n in self.answer["alone_enough"] if n != best]
        if others:
            parts.append(
                _("Enough alone, too: {options}.").format(
                    options="; ".join(map(self._words, others))
                )
            )
        elif self.options.loc[best, "kind"] == "together":
            parts.append(_("No single lever is enough."))
        return " ".join(parts)

    def _too_few_to_tell(self) -> Iterator[str]:
        """How often the goal is reached as it is, where the replications do not tell enough."""
        row: Any = self.options.loc[0]
        yield _(
            "Too few replications to be sure (--replications allows more): {goal} as it is in "
            "{times:,} of {n:,}, where a probability of at least {probability} is asked for."
        ).format(
            goal=statement(self.goal),
            times=row["fresh_reached"],
            n=row["fresh_replications"],
            probability=share(self.answer["probability"]),
        )
        if row["fresh_reached"] >= self.answer["probability"] * row["fresh_replications"]:
            yield _("It seems that nothing has to be changed.")

    def _not_reachable(self) -> Iterator[str]:
        text = _(
            "Not reachable with these levers: {goal} with a probability of at least {probability}."
        )
        if self.answer["reachable"] is None:
            text = _(
                "Nothing was confirmed, though the goal may be reachable with these levers: {goal} "
                "with a probability of at least {probability}."
            )
        if not self.answer["finished"]:
            text = _(
                "Not found before the replications were used up (--replications allows more): "
                "{goal} with a probability of at least {probability}."
            )
        yield text.format(goal=clause(self.goal), probability=share(self.answer["probability"]))
        for kind, text in (
            ("widest", _("Even with all of them as far as they go it is {value}: {why}.")),
            (
                "all_widest",
                _("Even with all levers there are as far as they go it is {value}: {why}."),
            ),
        ):
            for n in self._of_kind(kind):
                if not self._seems_reached(n):
                    yield text.format(value=self._simulated(n), why=self._in_the_way(n))
        for kind, text in (
            (
                "nearest",
                _(
                    "With these levers, {goal} with a probability of at least {probability} if "
                    "{changes} (reached in {times:,} of {n:,} replications that took no part in "
                    "the search): the share that all of them reach as far as they go, rounded "
                    "down; shares between it and the goal were not tried."
                ),
            ),
            (
                "further",
                _(
                    "With further levers, {goal} with a probability of at least {probability} if "
                    "{changes} (reached in {times:,} of {n:,} replications that took no part in "
                    "the search)."
                ),
            ),
        ):
            for n in self._of_kind(kind):
                if self.options.loc[n, "verdict"] == "enough":
                    goal = read_goal(str(self.options.loc[n, "goal"]), self.scenario)
                    said = statement(goal)
                    yield self._enough_if(n, text, said[0].lower() + said[1:])
                    if kind == "further" and goal != self.goal:
                        yield _(
                            "That share, too, is how far all levers there are reach, rounded down."
                        )

    def _of_kind(self, *kinds: str) -> list[int]:
        return [int(n) for n in self.options.index[self.options["kind"].isin(kinds)]]

    def _words(self, n: int) -> str:
        words = list(self.changes.loc[self.changes["option"] == n, "words"])
        if not words:
            return _("nothing is changed")
        return _(" and ").join(filter(None, [", ".join(words[:-1]), str(words[-1])]))

    def _enough_if(self, n: int, text: str, goal: str) -> str:
        row: Any = self.options.loc[n]
        return text.format(
            goal=goal,
            probability=share(self.answer["probability"]),
            changes=self._words(n),
            times=row["fresh_reached"],
            n=row["fresh_replications"],
        )

    def _seems_reached(self, n: int) -> bool:
        """Whether an option reached the goal in all replications shown."""
        row: Any = self.options.loc[n]
        if self.goal.comparison == ">=":
            return bool(row["least"] >= self.goal.amount - 1e-9)
        return bool(row["greatest"] <= self.goal.amount + 1e-9)

    def _simulated(self, n: int) -> str:
        row: Any = self.options.loc[n]
        if self.goal.scope and not self.goal.of_population and row["least"] > NEARLY_ALL:
            return self._nearly_all(row)
        if reached(row["least"], self.goal) == reached(row["greatest"], self.goal):
            return reached(row["least"], self.goal)
        return between(row["least"], row["greatest"], self.goal.unit, decimals(self.goal))

    def _nearly_all(self, row: Any) -> str:
        """How many are missing, where a share would be rounded to all of them."""
        most, fewest = (
            round((1 - row[end]) * self.scenario.target) for end in ("least", "greatest")
        )
        if not most:
            return percent(1.0)
        if most == fewest:
            return ngettext("all but {n} person", "all but {n} people", most).format(n=most)
        if not fewest:
            worst = ngettext("all but {n} person at worst", "all but {n} people at worst", most)
            return worst.format(n=most)
        return _("all but {fewest} to {n} people").format(fewest=fewest, n=most)

    def _spread(self, n: int) -> str:
        """The mean, and in brackets the least and the greatest if they look different."""
        row: Any = self.options.loc[n]
        if self.goal.scope and not self.goal.of_population and row["least"] > NEARLY_ALL:
            return self._nearly_all(row)
        mean, values = reached(row["mean"], self.goal), self._simulated(n)
        return mean if values == mean else f"{mean} ({values})"

    def _in_the_way(self, n: int, reasons: int | None = None) -> str:
        """What keeps an option from the goal; of reasons why it is too early, so many at most."""
        if self.options.loc[n, "verdict"] == "ceiling":
            found = self.limits[self.limits["option"] == n]
            late = found[found["kind"].isin(list(NOT_YET))]
            if len(late):
                words = [
                    not_yet_words(
                        row["kind"], None if pd.isna(row["first"]) else row["first"].date()
                    )
                    for row in late.head(reasons or len(late)).to_dict("records")
                ]
                return "; ".join(words)
            pairs = found["kind"].str.contains("_and_")
            found = found[~pairs] if (~pairs).any() else found
            kinds = [
                f"{_(_KINDS[row['kind']])} ({_days(row['first'], row['last'])})"
                for row in found.drop_duplicates("kind").to_dict("records")
            ]
            limits = ", ".join(kinds) or _("several limits at once")
            return _("the ceiling holds: {limits}").format(limits=limits)
        found = self.missing[self.missing["option"] == n].sort_values("persons", ascending=False)
        if not len(found):
            return _("not enough")
        found = found.head(_CAUSES_SHOWN)
        return "; ".join(
            f"{count(row['persons'])} ({_(CAUSES[row['cause']].meaning)})"
            for row in found.to_dict("records")
        )

    # Tables -----------------------------------------------------------------------------------

    def options_table(self, heading: str, kinds: tuple[str, ...]) -> list[Part]:
        """A line an option: change, ceiling, simulated, verdict."""
        numbers = self._of_kind(*kinds)
        if not set(numbers) - set(self._of_kind("plan")) and "together" in kinds:
            return []
        columns = ("", _("ceiling"), _("simulated *"), _("cost"), "")
        rows = []
        for n in numbers:
            row: Any = self.options.loc[n]
            ceiling = "" if pd.isna(row["ceiling"]) else self._ceiling(row)
            words = self._in_the_way(n, reasons=1)
            if row["verdict"] in _JUDGED:
                own, of_another = _JUDGED[row["verdict"]]
                words = _(own if row["goal"] == str(self.goal) else of_another)
                if row["reached_at_most"]:
                    words = _("not confirmed: at most {times} of {n}")
                words = words.format(
                    goal=self._thing(n), times=row["fresh_reached"], n=row["fresh_replications"]
                )
            lines = self._label(n)
            rows.append((lines[0], ceiling, self._spread(n), f"{row['cost']:.2f}", words))
            rows += [(f"  {line}", "", "", "", "") for line in lines[1:]]
        return [Table(heading, columns, rows, "<>>><")]

    def _label(self, n: int) -> list[str]:
        kind = str(self.options.loc[n, "kind"])
        fixed = {
            "plan": _("as it is"),
            "widest": _("all levers named, as far as they go"),
            "all_widest": _("all levers there are, as far as they go"),
        }
        if kind in fixed:
            return [fixed[kind]]
        return list(self.changes.loc[self.changes["option"] == n, "words"]) or [
            _("nothing changed")
        ]

    def _thing(self, n: int) -> str:
        """The goal that an option was judged by."""
        return thing(read_goal(str(self.options.loc[n, "goal"]), self.scenario))

    def _nearby(self, n: int) -> list[str]:
        """For which other goal an option is enough, if for one."""
        goal = read_goal(str(self.options.loc[n, "goal"]), self.scenario)
        return [] if goal == self.goal else [_("(for {share})").format(share=share(goal.amount))]

    def _ceiling(self, row: Any) -> str:
        of_target = row["ceiling"] / self.scenario.target
        return f"{count(row['ceiling'])} ({share(of_target)})"

    def ceiling_table(self) -> list[Part]:
        """The cheapest combinations of doses, slots and turns that the ceiling allows."""
        points = self._translated(self.study.table("ceiling_points"))
        groups = list(points.groupby("point"))[:_SHORT_LIST]
        if not groups:
            return []
        rows = [
            (f"{group['cost'].sum():.2f}", _(" and ").join(group["words"]))
            for _point, group in groups
        ]
        more = points["point"].nunique() - len(groups)
        heading = _(
            "On the ceiling alone (doses, slots, turns; the telephone being no obstacle): smallest "
            "combinations, with their cost"
        )
        and_more = _("and {more} more in the table ceiling_points")
        return [
            Table(heading, ("", ""), rows, "><"),
            *([f"  ... {and_more.format(more=more)}"] if more else []),
        ]

    def how_to_set(self) -> list[Part]:
        """The values of the cheapest option that is enough."""
        enough = self.options[self.options["verdict"] == "enough"]
        n = self.answer["cheapest"]
        if n is None and len(enough):
            n = int(enough.index[-1])
        settings = self.study.table("settings")
        lines = list(settings.loc[settings["option"] == n, "setting"]) if n is not None else []
        if n is None or not lines:
            return []
        heading = _("To try it ({goal}):").format(goal=self._thing(n))
        return [Listing("\n".join(f"--set '{line}'" for line in lines), heading)]

    def notes(self) -> list[str]:
        """What smallest means, and what was spent."""
        lines = [
            _(
                "Cost: the sum of the changes, each as a multiple of what there is, unless --cost "
                "says otherwise. Each size is\nthe smallest that will do beside the others. {n:,} "
                "replications were spent."
            ).format(n=self.answer["replications"]),
            *self._exchanges(),
            *self._parts(),
            _(
                "* The mean, and in brackets the least and the greatest value, of {n} replications."
            ).format(n=self.answer["shown_replications"]),
            *self._steps(),
            *self._unfinished(),
        ]
        if self.goal.scope is not None and not self.answer["ceiling_is_certain"]:
            lines.append(
                _(
                    "Deliveries, walk-ins or willingness vary: the ceiling is that of their "
                    "means, and only the simulation decides."
                )
            )
        return lines

    def _exchanges(self) -> list[str]:
        """How the cheapest was looked for among combinations."""
        exchanges = self.answer.get("exchanges")
        if self.answer["cheapest"] is None or exchanges is None:
            return []
        looked_at = ngettext(
            "Cheaper combinations were looked for from the cheapest found: {n:,} exchange of one "
            "lever for others.",
            "Cheaper combinations were looked for from the cheapest found: {n:,} exchanges of one "
            "lever for others.",
            exchanges["looked_at"],
        ).format(n=exchanges["looked_at"])
        ended = _(
            "None that is left saves {percent} of the cost in the search's replications; not all "
            "combinations were tried."
        ).format(percent=share(LEAST_SAVING))
        if not exchanges["finished"]:
            ended = _(
                "Not all were looked at before the replications for it were used up: other "
                "combinations may be cheaper."
            )
        return [f"{looked_at}\n{ended}"]

    def _parts(self) -> list[str]:
        """That levers were taken apart."""
        parts = self.answer.get("parts")
        if not parts or not parts["of"]:
            return []
        text = _(
            "What has several parts ({levers}) was tried part by part, too, and parts exchanged "
            "for one another;\na unit of a part costs what a unit of all costs, or its share of "
            "that where all move by as much (days, hours)."
        )
        if not parts["finished"]:
            text = _(
                "Of what has several parts ({levers}) not all parts could be tried alone before "
                "the replications\nfor it were used up (--replications allows more): less may be "
                "enough in single parts."
            )
        return [text.format(levers=", ".join(parts["of"]))]

    def _steps(self) -> list[str]:
        """By how much less was tried for the cheapest option, and what may be passed over."""
        if self.answer["cheapest"] is None:
            return []
        changes = self.changes[self.changes["option"] == self.answer["cheapest"]]
        tried = changes[changes["step"].notna()]
        if (changes["size"] == 1).all():
            return []  # there is nothing smaller
        if not len(tried):
            return [_("No smaller size was tried to the end.")]
        less = ", ".join(
            f"{row['lever']} {amount(row['step'], row['unit'])}" for row in tried.to_dict("records")
        )
        return [
            _(
                "With so much less the cheapest was not confirmed: {less}. A smaller change that "
                "reaches the goal\nwith a probability of less than {probability} may have been "
                "passed over."
            ).format(less=less, probability=share(self.answer["passed_over_below"]))
        ]

    def _unfinished(self) -> list[str]:
        if self.answer["finished"]:
            return []
        return [
            _(
                "The search was not finished when its replications were used up (--replications "
                "allows more):\nsomething cheaper may be enough."
            )
        ]

    # Picture ----------------------------------------------------------------------------------

    def picture(self) -> Figure:
        """A line an option: diamond the ceiling, dot and range the simulation.

        The diamond is hollow, and so large that a dot in it is seen.
        """
        labels = [
            "\n".join(wrapped(text, _LABEL_WIDTH) for text in (*self._label(n), *self._nearby(n)))
            for n in self.options.index
        ]
        heights = [label.count("\n") + 1.6 for label in labels]
        places, top = [], 0.0
        for height in heights:
            places.append(top + height / 2)
            top += height
        title = _("What would it take? {goal}").format(goal=statement(self.goal))
        figure = new_figure(title, named(self.scenario.title), 1.3 + 0.17 * top)
        axes = figure.subplots()
        simulated = style.SCOPES[self.goal.scope] if self.goal.scope else style.SERIES[0]
        for n, y in zip(self.options.index, places, strict=True):
            row: Any = self.options.loc[n]
            colour = style.REACHED if row["verdict"] == "enough" else simulated
            ceiling = row["ceiling"]
            if not pd.isna(ceiling):
                ceiling /= self.scenario.target
                axes.plot([row["mean"], ceiling], [y, y], color=style.GRID, lw=1, zorder=1)
                axes.plot(ceiling, y, "D", mfc="none", mec=style.SOFT, ms=9, mew=1.2, zorder=4)
            axes.plot([row["least"], row["greatest"]], [y, y], color=colour, lw=3, zorder=2)
            axes.plot(row["mean"], y, "o", color=colour, ms=5, zorder=3)
        axes.axvline(self.goal.amount, color=style.GOAL, ls="--", lw=1.2)
        axes.set_yticks(places, labels)
        axes.set_ylim(top, 0)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        if self.goal.scope is not None:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:g} %"))
        what = _("of the target") if self.goal.scope else measure_words(self.goal.measure)
        if self.goal.of_population:
            what = _("of all inhabitants")
        axes.set_xlabel(
            _("{what} by {day}; dashed: the goal").format(what=what, day=on(self.goal.by))
        )
        handles = [
            mpl.lines.Line2D([], [], color=simulated, marker="o", ms=5, lw=3,
                             label=_("simulated: mean, least and greatest of {n}").format(
                                 n=self.answer["shown_replications"])),
            mpl.lines.Line2D(
                [], [], color=style.REACHED, marker="o", ms=5, lw=3,
                label=_("confirmed with {probability} probability").format(
                    probability=share(self.answer["probability"])
                ),
            ),
        ]  # fmt: skip
        if self.goal.scope is not None:
            handles.append(
                mpl.lines.Line2D(
                    [], [], mfc="none", mec=style.SOFT, marker="D", ms=9, mew=1.2, lw=0,
                    label=_("ceiling: most that is possible"),
                )
            )  # fmt: skip
        figure.legend(handles=handles, loc="outside lower left", ncols=3)
        return figure


def _days(first: pd.Timestamp, last: pd.Timestamp) -> str:
    begin, end = short_date(first), short_date(last)
    return begin if begin == end else f"{begin} – {end}"
