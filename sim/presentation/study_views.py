"""How each kind of study is shown: its sentence and tables as text, as JSON, and its pictures.

Each kind has a module `<kind>_view.py` with `sections(study)`, lines and tables, the sentence
first, and `pictures(study) -> Iterator[(name, Figure)]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.experiment.results import RunError
from sim.experiment.study import Study
from sim.language import _
from sim.presentation.terminal import Part, as_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("goal", "staff", "sensitivity", "risk", "backtest")


def study_text(study: Study) -> str:
    """Sentence and tables."""
    return as_text([*study_sections(study), [_where(study)]])


def study_sections(study: Study) -> list[list[Part]]:
    """The same as lines and tables, without where it is."""
    found: list[list[Part]] = _view(study).sections(study)
    return found


def _where(study: Study) -> str:
    return _("Results: {folder}  (seed {seed})").format(folder=study.folder, seed=study.seed)


def study_data(study: Study) -> dict[str, Any]:
    """Question, answer and tables in JSON's types."""
    return {
        "folder": str(study.folder),
        "kind": study.kind,
        "seed": study.seed,
        "question": study.question,
        "answer": study.answer,
        **{
            name: json.loads(study.table(name).to_json(orient="records", date_format="iso"))
            for name in study.table_names
        },
    }


def pictures(study: Study) -> Iterator[tuple[str, Figure]]:
    """The pictures of a study, by name."""
    found: Iterator[tuple[str, Figure]] = _view(study).pictures(study)
    return found


def save_pictures(study: Study) -> list[Path]:
    """Draw the pictures of a study into its folder."""
    from sim.presentation.figures import save_figures

    return save_figures(pictures(study), study.folder / "pictures")


def _view(study: Study) -> Any:
    if study.kind not in KINDS:
        raise RunError(
            _("{folder} holds a study of an unknown kind, {kind}").format(
                folder=study.folder, kind=study.kind
            )
        )
    return import_module(f"sim.presentation.{study.kind}_view")
