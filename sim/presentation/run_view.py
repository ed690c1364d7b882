"""Words on runs as such: how they stand, and whether they come out the same again."""

from __future__ import annotations

from collections.abc import Iterable

from sim.experiment.catalogue import RunState, StudyState
from sim.experiment.replications import counted
from sim.experiment.results import Run, RunError, command, settings_of
from sim.experiment.settings import Precision
from sim.experiment.verification import Verification
from sim.presentation.audit_view import audit_line
from sim.presentation.terminal import table


def precision_text(run: Run) -> str | None:
    """How many replications a precision took; None if none was asked for."""
    precision = run.settings.precision
    if precision is None:
        return None
    made, reached = run.settings.replications, run.manifest["precision_reached_with"]
    wanted = precision_words(precision)
    if reached is None:
        return f"Precision ({wanted}): not reached with {counted(made)}."
    return f"Precision ({wanted}): reached with {counted(reached)}, and kept up to all {made:,}."


def precision_words(precision: Precision) -> str:
    """Which measures, how precise."""
    return ", ".join(f"{name} to {100 * share:g} %" for name, share in precision.measures)


def standing(state: RunState | StudyState) -> str:
    """Finished, being written, or how far."""
    if state.complete:
        return "finished"
    if isinstance(state, StudyState):
        there = f"{state.points_there:,} of {state.points:,} points"
    else:
        there = counted(state.there, state.wanted)
    return there + (", being simulated now" if state.being_written else "")


def state_text(state: RunState) -> str:
    """What a run is, and what is missing."""
    manifest = state.manifest
    settings = settings_of(manifest)
    libraries = ", ".join(f"{k} {v}" for k, v in manifest.get("libraries", {}).items())
    rows = [
        ("title", manifest["title"]),
        ("run", f"{state.folder}  ({standing(state)})"),
        ("scenario", manifest["scenario_sha256"][:8]),
        ("seed", str(settings.seed)),
        ("engine", settings.engine),
        ("begun", str(manifest.get("created_at", "?"))),
        ("made with", f"vaxsim {manifest['vaxsim']}, Python {manifest.get('python', '?')}"),
        ("", libraries),
        ("on", str(manifest.get("platform", "?"))),
        ("tables", f"{state.bytes / 1e6:,.1f} MB"),
    ]
    if settings.until:
        rows.insert(4, ("until", str(settings.until)))
    lines = table(rows, "<<")
    if not state.complete and not state.being_written:
        missing = "The precision asked for is not reached yet"
        if state.wanted is not None:
            last = state.wanted - 1
            missing = f"Replications {state.there:,} to {last:,} are missing"
            if state.there >= last:
                missing = f"Replication {last:,} is missing"
            if state.there > last:
                missing = "All replications are there, and not yet all tables"
        lines += ["", f"{missing}: {command('run', state.folder)} goes on from there."]
    return "\n".join(lines)


def state_data(state: RunState) -> dict[str, object]:
    """The same as one JSON object."""
    manifest = state.manifest
    return {
        "run": str(state.folder),
        "complete": state.complete,
        "being_written": state.being_written,
        "replications": state.wanted,
        "replications_there": state.there,
        "bytes": state.bytes,
        **{
            key: manifest.get(key)
            for key in (
                "title", "scenario_sha256", "seed", "engine", "until", "precision",
                "created_at", "vaxsim", "python", "platform", "libraries",
            )
        },
    }  # fmt: skip


def study_state_data(state: StudyState) -> dict[str, object]:
    """How a study stands, as one JSON object."""
    return {
        "folder": str(state.folder),
        "kind": state.kind,
        "complete": state.complete,
        "being_written": state.being_written,
        "replications": state.replications,
        "title": state.title,
        "seed": state.seed,
        "created_at": state.begun or None,
    }


def results_text(states: Iterable[RunState | StudyState | RunError]) -> str:
    """A table of runs and studies, and below it those that cannot be read."""
    rows, errors = [], []
    for state in states:
        if isinstance(state, RunError):
            errors.append(str(state))
            continue
        if isinstance(state, RunState):
            n: int | None = state.there
            seed, begun = state.manifest["seed"], str(state.manifest.get("created_at", ""))
        else:
            n, seed, begun = state.replications, state.seed, state.begun
        rows.append(
            (
                state.folder.name,
                state.kind,
                "" if n is None else f"{n:,}",
                str(seed),
                begun[:16].replace("T", " "),
                standing(state),
                state.title,
            )
        )
    heading = ("folder", "kind", "replications", "seed", "begun", "state", "title")
    lines = table([heading, *rows], "<<>><<<") if rows else ["no runs here"]
    return "\n".join([*lines, *(f"  cannot be read: {error}" for error in errors)])


def verification_text(run: Run, found: Verification) -> str:
    """Identical or not, where not, and with what each was made."""
    n, difference = len(found.replications), found.difference
    of = f"{counted(n, run.settings.replications)} simulated again"
    if difference is None:
        lines = [f"Identical: {of}, {found.rows:,} rows equal."]
        if found.parts:
            same = found.parts - found.parts_with_other_bytes
            lines.append(f"Of {found.parts:,} files made again, {same:,} have the same bytes.")
        lines.append(audit_line(run))
    else:
        lines = [
            f"Different: replication {difference.replication}, table {difference.table}, "
            f"row {difference.row}, column {difference.column}: "
            f"{_shown(difference.in_run)} in the run, {_shown(difference.now)} now."
        ]
    others = {key for key in found.now if found.then.get(key) != found.now[key]}
    if difference is None and not others:
        return "\n".join([*lines, "Versions and platform are the same."])
    rows = [("", "in the run", "here")] + [
        (key, found.then.get(key, "?"), found.now[key] + ("  (differs)" if key in others else ""))
        for key in found.now
    ]
    return "\n".join([*lines, *table(rows, "<<<")])


def _shown(value: object) -> str:
    return "no such row" if value is None else str(value)


def verification_data(run: Run, found: Verification) -> dict[str, object]:
    """The same as one JSON object."""
    difference = found.difference
    return {
        "run": str(run.folder),
        "identical": found.identical,
        "replications": found.replications,
        "rows": found.rows,
        "parts": found.parts,
        "parts_with_other_bytes": found.parts_with_other_bytes,
        "difference": None
        if difference is None
        else {
            "replication": difference.replication,
            "table": difference.table,
            "row": difference.row,
            "column": difference.column,
            "in_run": _shown(difference.in_run),
            "now": _shown(difference.now),
        },
        "then": found.then,
        "now": found.now,
    }
