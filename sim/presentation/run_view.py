"""Words on runs as such: how they stand, and whether they come out the same again."""

from __future__ import annotations

from collections.abc import Iterable

from sim.experiment.catalogue import RunState
from sim.experiment.results import Run, RunError, settings_of
from sim.experiment.verification import Verification
from sim.presentation.terminal import table


def precision_text(run: Run) -> str | None:
    """How many replications a precision took; None if none was asked for."""
    precision = run.settings.precision
    if precision is None:
        return None
    made, reached = run.settings.replications, run.manifest["precision_reached_with"]
    wanted = ", ".join(f"{name} to {100 * share:g} %" for name, share in precision.measures)
    if reached is None:
        return f"Precision ({wanted}): not reached with {made:,} replications."
    return (
        f"Precision ({wanted}): reached with {reached:,} replications, and kept up to all {made:,}."
    )


def standing(state: RunState) -> str:
    """Finished, being written, or how far."""
    if state.complete:
        return "finished"
    of = f"{state.there:,} of {state.wanted:,}" if state.wanted else f"{state.there:,}"
    return f"{of} replications" + (", being simulated now" if state.being_written else "")


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
        missing = (
            f"Replications {state.there:,} to {state.wanted - 1:,} are missing"
            if state.wanted
            else "The precision asked for is not reached yet"
        )
        lines += ["", f"{missing}: vaxsim run {state.folder} goes on from there."]
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


def runs_text(states: Iterable[RunState | RunError]) -> str:
    """A table of runs, and below it those that cannot be read."""
    rows, errors = [], []
    for state in states:
        if isinstance(state, RunError):
            errors.append(str(state))
            continue
        manifest = state.manifest
        rows.append(
            (
                state.folder.name,
                f"{state.there:,}",
                str(manifest["seed"]),
                str(manifest.get("created_at", ""))[:16].replace("T", " "),
                standing(state),
                manifest["title"],
            )
        )
    heading = ("run", "replications", "seed", "begun", "state", "title")
    lines = table([heading, *rows], "<>><<<") if rows else ["no runs here"]
    return "\n".join([*lines, *(f"  cannot be read: {error}" for error in errors)])


def verification_text(run: Run, found: Verification) -> str:
    """Identical or not, where not, and with what each was made."""
    n, difference = len(found.replications), found.difference
    of = f"{n:,} of {run.settings.replications:,} replications simulated again"
    if difference is None:
        lines = [f"Identical: {of}, {found.rows:,} rows equal."]
        if found.parts:
            same = found.parts - found.parts_with_other_bytes
            lines.append(f"Of {found.parts:,} files made again, {same:,} have the same bytes.")
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
