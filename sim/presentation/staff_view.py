"""The study `staff`: the cheapest staffing as text and as pictures."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sim.experiment.goals import Goal, read_goal
from sim.experiment.replications import counted
from sim.experiment.shadow_prices import bindings
from sim.experiment.staff_levers import Levers
from sim.experiment.study import Study
from sim.language import N_, _, language, named, ngettext
from sim.model.records import CAUSES
from sim.presentation import style
from sim.presentation.binding_view import short_name
from sim.presentation.document import Items, Table
from sim.presentation.figures import drawing, new_figure
from sim.presentation.goal_words import reached, share, thing
from sim.presentation.terminal import Part, count, percent, signed


def sections(study: Study) -> list[list[Part]]:
    """The sentence, the staffing, how sure it is, the cost curve, and what was spent."""
    told: list[list[Part]] = [[_sentence(study)]]
    if study.answer["found"]:
        told += [[_staffing(study), *_kept_open(study)], _how_sure(study)]
    else:
        told.append(_most_tried(study))
    return [*told, _caps(study), [_curve(study)], [_spent(study)]]


def _goal(study: Study) -> Goal:
    return read_goal(study.question["goal"], study.scenario)


def _sentence(study: Study) -> str:
    answer, goal = study.answer, _goal(study)
    promised = share(study.question["probability"])
    if not answer["found"]:
        return _not_found(study)
    agents, others = _heads(study.table("staffing"), "proposed")
    staff = _("Nobody")
    if agents and others:
        staff = ngettext(
            "{agents} agent and {others} staff at stations",
            "{agents} agents and {others} staff at stations",
            agents,
        )
    elif agents or others:
        staff = _("{others} staff at stations")
        if agents:
            staff = ngettext("{agents} agent", "{agents} agents", agents)
    enough = ngettext(
        "{staff} (cost {cost}) is enough for {goal}: reached in {times} of {n} replications that "
        "played no part in the choice, where {probability} are asked for.",
        "{staff} (cost {cost}) are enough for {goal}: reached in {times} of {n} replications that "
        "played no part in the choice, where {probability} are asked for.",
        max(agents + others, 1),
    ).format(
        staff=staff.format(agents=count(agents), others=count(others)),
        cost=_cost(answer["cost"]),
        goal=thing(goal),
        times=answer["reached"],
        n=answer["replications"],
        probability=promised,
    )
    now = _("The present staffing (cost {cost}) is enough.")
    if answer["now_meets"] is None:
        now = _("The present staffing (cost {cost}) was not tried.")
    elif not answer["now_meets"]:
        now = _("The present staffing (cost {cost}) is not enough.")
    return f"{enough} {now.format(cost=_cost(answer['cost_now']))}"


def _not_found(study: Study) -> str:
    """That there is none, how near the nearest comes, and because of what."""
    why, goal = study.answer["why_not"], _goal(study)
    words = {"goal": thing(goal), "probability": share(study.question["probability"])}
    if why["limits"]:
        said = _(
            "No number of these staff reaches the goal, {goal}: it takes {needed} people, and "
            "doses, slots, turns and intervals allow at most {most} by then."
        )
        if not why["ceiling"]:
            said = _(
                "No number of these staff reaches the goal, {goal}: it takes {needed} people, and "
                "doses, slots, turns and intervals allow none by then."
            )
        needed, most = count(why["needed"]), count(why["ceiling"])
        sentences = [said.format(**words, needed=needed, most=most)]
    elif why["judged"]:
        times, n = why["judged"]
        said = _(
            "No staffing was shown to reach the goal, {goal}, with a probability of "
            "{probability}: the best of those that seemed to reached it in {times} of {n} "
            "replications that played no part in the choice."
        )
        if times >= study.question["probability"] * n:
            said = _(
                "Too few replications to be sure: a staffing was found that seems to reach the "
                "goal, {goal}, with a probability of {probability}, in {times} of {n} "
                "replications that played no part in the choice."
            )
        sentences = [said.format(**words, times=times, n=n)]
    else:
        sentences = [
            _(
                "No staffing was found that reaches the goal, {goal}, with a probability of "
                "{probability}."
            ).format(**words)
        ]
    if why["used_up"]:
        sentences.append(
            _("The replications for the search were used up (--replications allows more).")
        )
    if _looked_at_most(study.answer):
        sentences.append(
            _("The search ended when {n} staffings had been looked at.").format(
                n=count(study.answer["looked_at"])
            )
        )
    if "farthest" in why:
        sentences += _farthest(study)
    if goal.scope is not None and not why["limits"]:
        sentences.append(
            _("Doses, slots, turns and intervals would allow {n} people ({share}).").format(
                n=count(why["ceiling"]), share=percent(why["ceiling"] / study.scenario.target)
            )
        )
    return " ".join(sentences)


def _looked_at_most(answer: Mapping[str, Any]) -> bool:
    return bool(answer["looked_at"] >= answer["looked_at_most"])


_CAUSES_SHOWN = 3


def _farthest(study: Study) -> Iterator[str]:
    """How near to the goal the nearest staffing comes, what would help it, and who is missing."""
    goal, why = _goal(study), study.answer["why_not"]
    far, most = why["farthest"], why.get("at_most")

    def words(found: Mapping[str, Any]) -> dict[str, str]:
        values = {key: found[key] for key in ("mean", "low", "high")}
        return {
            "cost": _cost(found["cost"]),
            "times": count(found["reached"]),
            "n": count(found["replications"]),
            "tried": count(study.answer["simulated"]),
            **{key: "–" if v is None else reached(v, goal) for key, v in values.items()},
        }

    if most and not why["more_harms"]:
        yield _(
            "More staff is not enough: the most that was considered (cost {cost}) reaches {mean} "
            "on average (95 % interval {low} to {high}), and the goal in {times} of {n} "
            "replications."
        ).format(**words(most))
        if why["twice_is_no_better"]:
            yield _("Twice as many come no farther.")
        if far["cost"] < most["cost"]:
            said = _("A cost of {cost} comes as far ({mean} on average).")
            yield said.format(**words(far))
    else:
        if most:
            yield _(
                "More staff does harm here: the most that was considered (cost {cost}) reaches "
                "{mean} on average."
            ).format(**words(most))
        yield _(
            "The one that came farthest of {tried} tried (cost {cost}) reaches {mean} on average "
            "(95 % interval {low} to {high}), and the goal in {times} of {n} replications."
        ).format(**words(far))
    if why.get("helps") is not None:
        yield _help(why["helps"])
    causes = [(cause, n) for cause, n in far["missing"].items() if round(n)][:_CAUSES_SHOWN]
    if causes:
        listed = ", ".join(f"{count(n)} ({_(CAUSES[cause].meaning)})" for cause, n in causes)
        yield _("Who is missing there, and why: {causes}.").format(causes=listed)


def _help(helps: Sequence[Mapping[str, Any]]) -> str:
    """What alone would bring the most staff nearer to the goal."""
    if not helps:
        return _("With the most staff, more of nothing else alone would help either.")
    enough = [row for row in helps if row["reached"] == row["replications"]]
    if not enough:
        said = _("With the most staff, more of one of these would help, but not enough: {list}.")
        return said.format(list=_constraints(helps[:_CAUSES_SHOWN]))
    said = _("With the most staff and more of one of these the goal is reached: {list}.")
    return said.format(list=_constraints(enough))


def _constraints(helps: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(short_name(row["constraint"]) for row in helps)


def _heads(frame: pd.DataFrame, column: str) -> tuple[int, int]:
    """Agents, and staff of all units."""
    heads = frame[column].astype(int) * frame["places"]
    of_agents = frame["who"] == "agent"
    return int(heads[of_agents].sum()), int(heads[~of_agents].sum())


def _staffing(study: Study) -> Table:
    columns = ("", _("now"), _("proposed"), _("first guess"), _("cost of one"), _("cost"))
    rows = [
        (
            _who(row),
            count(row["now"]),
            count(row["proposed"]),
            count(row["first_guess"]),
            _cost(row["cost_of_one"]),
            _cost(row["cost_of_one"] * row["proposed"]),
        )
        for row in study.table("staffing").to_dict("records")
    ]
    return Table(_("Staff (in each unit, where there are several)"), columns, rows, "<>>>>>")


def _kept_open(study: Study) -> list[Part]:
    """That no unit is proposed to be closed, where staff of stations are sought."""
    keys = study.table("staffing")["key"]
    if not keys.str.contains(".stations.", regex=False).any():
        return []
    return [_("Every unit stays open: no station has less than one. To close one is not tried.")]


def _who(row: Mapping[Hashable, Any]) -> str:
    """Who they are and where."""
    text = _("{who}, {where}")
    shift = 0
    if ".shifts." in row["key"]:
        text, shift = _("{who}, {where}, shift {shift}"), int(row["key"].split(".")[-2]) + 1
    if row["places"] > 1:
        text += " " + _("({places} units)")
    who = _("agents") if row["who"] == "agent" else named(row["who"])
    return text.format(who=who, where=named(row["where"]), shift=shift, places=row["places"])


def _how_sure(study: Study) -> list[Part]:
    answer = study.answer
    row = study.table("judged").iloc[-1]
    lines = [
        _(
            "The goal is met with a probability of {probability}, 95 % interval {low} – {high}."
        ).format(
            probability=percent(row["probability"]),
            low=percent(row["low"]),
            high=percent(row["high"]),
        ),
        _(
            "A staffing that does not keep the promise is proposed with a probability of at most "
            "{error}\n  (sequential test, replications of its own)."
        ).format(error=percent(1 - answer["confidence"])),
        _passes(answer["passes_from"], study.question["probability"]),
    ]
    if answer["nothing_cheaper"] == "simulated":
        lines.append(_("Everything cheaper was simulated, and did not meet it."))
    elif answer["nothing_cheaper"] == "inferred":
        lines.append(_("Nothing cheaper meets it, if more staff never harms."))
    elif answer["cheaper_not_judged"] is not None:
        lines.append(
            _(
                "A staffing for {cost} met it in the search too, but less surely; there were "
                "replications left for one\n  test only (--replications allows more)."
            ).format(cost=_cost(answer["cheaper_not_judged"]))
        )
    elif not answer["finished"] and _looked_at_most(answer):
        lines.append(
            _(
                "The search was not finished when {n} staffings had been looked at:\n"
                "  a cheaper one may be enough."
            ).format(n=count(answer["looked_at"]))
        )
    elif not answer["finished"]:
        lines.append(
            _(
                "The search was not finished when its replications were used up (--replications "
                "allows more):\n  a cheaper one may be enough."
            )
        )
    else:
        lines.append(
            _(
                "No cheaper one was found by lowering any number, or one for another; "
                "not all were tried."
            )
        )
    if not answer["more_never_harmed"]:
        lines.append(
            _(
                "Here more staff can be worse: of two staffings the one with more "
                "failed. (Doses given early,\n  as first ones say, are not there later.)"
            )
        )
    if answer["equally_cheap"] > 1:
        lines.append(_best_of_equals(study))
    return [_("How sure"), Items(lines)]


def _passes(sure: float, promised: float) -> str:
    """From which probability on a staffing stands the test: between, it may be passed over."""
    if sure >= 1:
        return _("To stand that test takes one that never misses the goal, nearly.")
    return _(
        "One that reaches the goal with {sure} stands that test in 9 of 10 cases; a cheaper one "
        "between\n  {promised} and that may have been passed over."
    ).format(sure=percent(sure), promised=percent(promised))


def _best_of_equals(study: Study) -> str:
    """Why this one of equally cheap ones, and how sure that is."""
    best, n = study.answer["best_of_equals"], study.answer["equally_cheap"]
    if best is None:
        return _(
            "{n} equally cheap ones were not compared: too few replications were left."
        ).format(n=n)
    words = {"n": n, "indifference": signed(best["indifference"], _goal(study).unit).lstrip("+")}
    if best["decided"]:
        said = _(
            "Of {n} equally cheap ones it came farthest beyond the goal: the right one with a "
            "probability of {sure},\n  if it is better by {indifference} or more (procedure KN of "
            "Kim and Nelson; values nearly normal)."
        )
        return said.format(**words, sure=percent(1 - best["error"]))
    return _(
        "Of {n} equally cheap ones it came farthest beyond the goal in {times} replications; too "
        "near to another\n  to be sure to {indifference} (procedure KN of Kim and Nelson)."
    ).format(**words, times=max(best["replications"]))


def _most_tried(study: Study) -> list[Part]:
    why = study.answer["why_not"]
    if why["limits"]:
        heading = _("What stands in the way, and what one more of it is worth")
        return [heading, Items(_limits(study))]
    return [_staff_tried(study), *_helping(study)]


def _helping(study: Study) -> list[Part]:
    """What more of each constraint alone would bring with the most staff."""
    helps, unit = study.answer["why_not"].get("helps"), _goal(study).unit
    if not helps:
        return []
    rows = [
        (
            short_name(row["constraint"]),
            _(relaxation),
            signed(row["change"], unit),
            _("{times} of {n}").format(times=row["reached"], n=row["replications"]),
        )
        for row in helps
        for relaxation in [row["relaxation"]]
    ]
    heading = _("What more of each alone would bring with the most staff")
    return [Table(heading, ("", "", _("change"), _("reached in")), rows, "<<>>")]


def _staff_tried(study: Study) -> Table:
    why = study.answer["why_not"]
    far = why.get("farthest")
    rows = []
    for row in study.table("staffing").to_dict("records"):
        came = count(far["staffing"][row["key"]]) if far else "–"
        rows.append((_who(row), count(row["now"]), came, count(why["most"][row["key"]])))
    heading = _("Staff now, what came farthest, and the most that was considered")
    return Table(heading, ("", _("now"), _("farthest"), _("most")), rows, "<>>>")


def _limits(study: Study) -> list[str]:
    """What holds the ceiling with the most staff, in the language spoken."""
    why, goal = study.answer["why_not"], _goal(study)
    if language() == "en" or goal.scope is None:
        return list(why["limits"])  # as the results have it
    levers = Levers(study.scenario, study.question["costs"])
    scenario = levers.scenario_with(tuple(why["most"].values()))
    assert scenario is not None
    return [limit.words for limit in bindings(scenario, goal.scope, goal.by) if limit.worth > 0]


def _caps(study: Study) -> list[Part]:
    """What has no cost, stays, and so limits of how many staff there is any use."""
    texts = {
        "lines": _("more agents in the pool {where} than the {n} telephone lines"),
        "slots_per_day": _("more staff for appointments, {n} a day in each {where}, set by hand"),
    }
    station = _("more staff in each {where} than its {what} lets through, {n} people a day")
    lines = [
        texts.get(cap["what"], station).format(
            where=named(cap["where"]), what=named(cap["what"]), n=count(cap["at_most"])
        )
        for cap in study.answer["caps"]
        if cap["in_the_way"]
    ]
    if not lines:
        return []
    return [_("Not considered, for what has no cost (--cost) stays as it is"), Items(lines)]


def _curve(study: Study) -> Table:
    frame, goal = study.table("curve"), _goal(study)
    columns = (
        _("cost"), _("on average"), _("reached in"), _("probability"), _("95 % interval"), "",
    )  # fmt: skip
    rows = [
        (
            _cost(row["cost"]),
            "–" if pd.isna(row["mean"]) else reached(row["mean"], goal),
            _("{times} of {n}").format(times=row["reached"], n=row["replications"]),
            percent(row["probability"]),
            f"{percent(row['low'])} – {percent(row['high'])}",
            _("proposed") if row["proposed"] else "",
        )
        for row in frame.to_dict("records")
    ]
    return Table(_("What each cost can reach, of what was tried"), columns, rows, ">>>>><")


def _spent(study: Study) -> str:
    answer = study.answer
    spent = answer["spent"]
    if not spent["in all"]:
        return _("Nothing had to be simulated to know.")
    words = {
        "search": _("in the search"),
        "ties": _("to compare equally cheap ones"),
        "test": _("to test"),
        "why not": _("to see what stands in the way"),
        "curve": _("for the curve of costs"),
    }
    parts = ", ".join(
        f"{count(spent[key])} {what}" for key, what in words.items() if spent.get(key)
    )
    text = _("{replications}: {parts}. {n} staffings simulated.")
    if answer["ruled_out"]:
        text = _("{replications}: {parts}. {n} staffings simulated; {more} more ruled out without.")
    return text.format(
        replications=counted(spent["in all"]),
        parts=parts,
        n=count(answer["simulated"]),
        more=count(answer["ruled_out"]),
    )


def _cost(value: float) -> str:
    return f"{value:,.6g}" if value < 1e6 else count(value)


# Pictures -------------------------------------------------------------------------------------


def pictures(study: Study) -> Iterator[tuple[str, Figure]]:
    """Cost against probability, and what was tried; nothing if nothing was simulated."""
    if not study.answer["simulated"]:
        return
    with drawing():
        if len(study.table("curve")) > 1:
            yield "cost_and_probability", cost_and_probability(study)
        yield "tried", tried(study)


def cost_and_probability(study: Study) -> Figure:
    """How likely the goal is with what each cost can reach."""
    goal = _goal(study)
    figure = new_figure(
        _("Cost of staff and probability of {goal}").format(goal=thing(goal)),
        named(study.scenario.title),
        3.6,
    )
    axes = figure.subplots()
    frame = study.table("curve")
    for proposed, colour, label in (
        (False, style.SERIES[0], N_("of what was tried, the farthest at its cost")),
        (True, style.REACHED, N_("proposed (replications of its own)")),
    ):
        part = frame[frame["proposed"] == proposed]
        if part.empty:
            continue
        axes.errorbar(
            part["cost"], part["probability"],
            yerr=[part["probability"] - part["low"], part["high"] - part["probability"]],
            fmt="o", ms=5, capsize=3, lw=1.2, color=colour, label=_(label),
        )  # fmt: skip
    promised = study.question["probability"]
    axes.axhline(
        promised,
        color=style.GOAL,
        lw=1.2,
        ls="--",
        label=_("asked for: {probability}").format(probability=share(promised)),
    )
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlabel(_("cost of staff"))
    axes.set_ylabel(_("probability (95 % interval)"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:g} %"))
    axes.legend(loc="best")
    return figure


def tried(study: Study) -> Figure:
    """Every staffing of the search: cost of agents against cost of stations."""
    figure = new_figure(
        _("What was tried for {goal}").format(goal=thing(_goal(study))),
        _("{title}. Each point is a staffing; the line: the proposal's cost.").format(
            title=named(study.scenario.title)
        ),
        4.2,
    )
    axes = figure.subplots()
    frame = study.table("candidates")
    promised = study.question["probability"]
    stations = frame["cost"] - frame["cost_of_agents"]
    meets = frame["reached"] >= promised * frame["replications"] - 1e-9
    for chosen, marker, colour, label in (
        (~meets, "x", style.FAILED, _("does not reach it")),
        (meets, "o", style.REACHED, _("reaches it")),
    ):
        if chosen.any():
            axes.scatter(
                frame["cost_of_agents"][chosen], stations[chosen],
                marker=marker, s=24, color=colour, label=label,
            )  # fmt: skip
    answer = study.answer
    if answer["found"]:
        own = study.table("staffing")
        cost = own["cost_of_one"] * own["proposed"].astype(int)
        agents = float(cost[own["who"] == "agent"].sum())
        axes.scatter(
            [agents], [answer["cost"] - agents],
            marker="*", s=170, color=style.INK, zorder=4, label=_("proposed"),
        )  # fmt: skip
        _equal_costs(axes, answer["cost"])
    axes.set_xlabel(_("cost of agents"))
    axes.set_ylabel(_("cost of staff at stations"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(7))
    axes.legend(loc="best")
    return figure


def _equal_costs(axes: Any, cost: float) -> None:
    """The line of the proposed cost, within what is shown."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    axes.plot([left, right], [cost - left, cost - right], color=style.INK, lw=0.9, ls=":")
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
