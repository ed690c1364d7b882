"""Commands that answer a committee's questions by many simulations: `goal`, `staff`, ..."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sim.cli.console import print_json, print_pictures, progress, say_compiling

if TYPE_CHECKING:
    import pandas as pd

    from sim.experiment.study import StudyPlan
    from sim.experiment.trials import Trials

Finding = tuple[Mapping[str, Any], Mapping[str, "pd.DataFrame"]]
"""The answer of a study, and its tables."""


def carry_out(
    plan: StudyPlan, find: Callable[[Trials], Finding], what: str, fresh: bool, as_json: bool
) -> None:
    """Make a study (or find it there), and print its answer; `what` it simulates, for the bar."""
    from sim.experiment.trials import Trials
    from sim.presentation.study_views import save_pictures, study_data, study_text

    made = plan.found(fresh)
    there_before = made is not None
    if made is None:
        with (
            plan.claimed(),
            progress(what, None) as on_days,
            Trials(plan.settings, on_days, say_compiling) as trials,
        ):
            answer, tables = find(trials)
            made = plan.write(answer, tables)
    pictures = save_pictures(made)
    if as_json:
        names = [str(path) for path in pictures]
        print_json({**study_data(made), "pictures": names, "simulated_now": not there_before})
        return
    print(study_text(made))
    print_pictures(pictures)
    if there_before:
        print("This study had been made before; --fresh makes it again.")
