"""Words on runs as such: how they stand, and whether they come out the same again."""

from __future__ import annotations

from collections.abc import Iterable

from sim.experiment.catalogue import RunState, StudyState
from sim.experiment.replications import counted
from sim.experiment.results import Run, RunError, command, settings_of
from sim.experiment.settings import Precision
from sim.experiment.verification import Verification
from sim.language import N_, _, named
from sim.presentation.audit_view import audit_data, audit_line
from sim.presentation.terminal import table


def precision_text(run: Run) -> str | None:
    """How many replications a precision took; None if none was asked for."""
    precision = run.settings.precision
    if precision is None:
        return None
    made, reached = run.settings.replications, run.manifest["precision_reached_with"]
    wanted = precision_words(precision)
    if reached is None:
        return _("Precision ({precision}): not reached with {replications}.").format(
            precision=wanted, replications=counted(made)
        )
    return _(
        "Precision ({precision}): reached with {replications}, and kept up to all {made:,}."
    ).format(precision=wanted, replications=counted(reached), made=made)


def precision_words(precision: Precision) -> str:
    """Which measures, how precise."""
    return ", ".join(
        _("{measure} to {percent:g} %").format(measure=name, percent=100 * share)
        for name, share in precision.measures
    )


def standing(state: RunState | StudyState) -> str:
    """Finished, being written, or how far."""
    if state.complete:
        return _("finished")
    if isinstance(state, StudyState):
        there = _("{there:,} of {points:,} points").format(
            there=state.points_there, points=state.points
        )
    else:
        there = counted(state.there, state.wanted)
    return _("{there}, being simulated now").format(there=there) if state.being_written else there


def state_text(state: RunState) -> str:
    """What a run is, and what is missing."""
    manifest = state.manifest
    settings = settings_of(manifest)
    libraries = ", ".join(f"{k} {v}" for k, v in manifest.get("libraries", {}).items())
    rows = [
        (_("title"), named(manifest["title"])),
        (_("run"), f"{state.folder}  ({standing(state)})"),
        (_("scenario"), manifest["scenario_sha256"][:8]),
        (_("seed"), str(settings.seed)),
        (_("engine"), settings.engine),
        (_("begun"), str(manifest.get("created_at", "?"))),
        (
            _("made with"),
            f"vaxsim {manifest['vaxsim']}, Python {manifest.get('python', '?')}",
        ),
        ("", libraries),
        (_("on"), str(manifest.get("platform", "?"))),
        (_("tables"), f"{state.bytes / 1e6:,.1f} MB"),
    ]
    if settings.until:
        rows.insert(4, (_("until"), str(settings.until)))
    lines = table(rows, "<<")
    if not state.complete and not state.being_written:
        missing = _("The precision asked for is not reached yet")
        if state.wanted is not None:
            last = state.wanted - 1
            missing = _("Replications {first:,} to {last:,} are missing").format(
                first=state.there, last=last
            )
            if state.there >= last:
                missing = _("Replication {last:,} is missing").format(last=last)
            if state.there > last:
                missing = _("All replications are there, and not yet all tables")
        go_on = _("{missing}: {command} goes on from there.")
        lines += ["", go_on.format(missing=missing, command=command("run", state.folder))]
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


_KINDS = (
    N_("run"), N_("sweep"), N_("comparison"), N_("goal"), N_("staff"), N_("sensitivity"),
    N_("risk"), N_("backtest"),
)  # fmt: skip
"""What results_text looks up in the catalog."""


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
                _(state.kind),
                "" if n is None else f"{n:,}",
                str(seed),
                begun[:16].replace("T", " "),
                standing(state),
                named(state.title),
            )
        )
    heading = (
        _("folder"), _("kind"), _("replications"), _("seed"), _("begun"), _("state"), _("title"),
    )  # fmt: skip
    lines = table([heading, *rows], "<<>><<<") if rows else [_("no runs here")]
    return "\n".join(
        [*lines, *("  " + _("cannot be read: {error}").format(error=error) for error in errors)]
    )


def verification_text(run: Run, found: Verification) -> str:
    """Identical or not, where not, and with what each was made."""
    n, difference = len(found.replications), found.difference
    of = counted(n, run.settings.replications)
    if difference is None:
        same_again = _("Identical: {replications} simulated again, {rows:,} rows equal.")
        lines = [same_again.format(replications=of, rows=found.rows)]
        if found.parts:
            same = found.parts - found.parts_with_other_bytes
            lines.append(
                _("Of {files:,} files made again, {same:,} have the same bytes.").format(
                    files=found.parts, same=same
                )
            )
        lines.append(audit_line(run))
    else:
        lines = [
            _(
                "Different: replication {replication}, table {table}, row {row}, column "
                "{column}: {in_run} in the run, {now} now."
            ).format(
                replication=difference.replication,
                table=difference.table,
                row=difference.row,
                column=difference.column,
                in_run=_(_shown(difference.in_run)),
                now=_(_shown(difference.now)),
            )
        ]
    others = {key for key in found.now if found.then.get(key) != found.now[key]}
    if difference is None and not others:
        return "\n".join([*lines, _("Versions and platform are the same.")])
    rows = [("", _("in the run"), _("here"))] + [
        (
            key,
            found.then.get(key, "?"),
            found.now[key] + ("  " + _("(differs)") if key in others else ""),
        )
        for key in found.now
    ]
    return "\n".join([*lines, *table(rows, "<<<")])


_NO_ROW = N_("no such row")


def _shown(value: object) -> str:
    return _NO_ROW if value is None else str(value)


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
        "audit": audit_data(run),
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
