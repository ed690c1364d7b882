"""Commands to start from: `trace` (one day, event by event) and `new` (a scenario of one's own)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.cli.console import (
    UserError,
    document_suffix,
    errors_reported,
    folder_of_run,
    print_json,
    progress,
    read_scenario_or_run,
    say,
    say_compiling,
)
from sim.cli.options import EngineName, Json, Overrides
from sim.experiment.settings import read_date
from sim.language import N_, _


def trace(
    scenario: Annotated[
        Path, typer.Argument(metavar="SCENARIO", help=N_("Scenario file, or folder of a run."))
    ],
    day: Annotated[str, typer.Option("--date", metavar="DATE", help=N_("Which day (YYYY-MM-DD)."))],
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help=N_("New file that ends in .csv or .parquet.")),
    ],
    unit: Annotated[
        str | None, typer.Option(metavar="NAME", help=N_("A day of this vaccination unit."))
    ] = None,
    call_centre: Annotated[
        bool, typer.Option("--call-centre", help=N_("A day of the call centre."))
    ] = False,
    overrides: Overrides = None,
    replication: Annotated[
        int,
        typer.Option(metavar="NUMBER", min=0, max=999_999, help=N_("Which replication, from 0.")),
    ] = 0,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER", min=0, max=2**64 - 1, help=N_("Default: 1, or that of the run.")
        ),
    ] = None,
    engine: Annotated[
        EngineName | None, typer.Option(help=N_("Which implementation; the log is the same."))
    ] = None,
    as_json: Json = False,
) -> None:
    """Write down who did what when, on one day of a unit or of the call centre.

    The log is in the form that the library vidigi animates; see the README for its columns.
    """
    with errors_reported():
        if (unit is not None) == call_centre:
            raise UserError(_("which place? give either --unit NAME or --call-centre"))
        from sim.compilation import when_compiling
        from sim.experiment.event_log import check_place, event_log, write_log
        from sim.experiment.sources import check_new_file
        from sim.presentation.trace_view import trace_data, trace_text

        date = read_date("--date", day)
        assert date is not None
        check_new_file(out)
        document_suffix(out, ".csv", ".parquet")
        world, _raw, settings = read_scenario_or_run(scenario, overrides)
        if folder_of_run(scenario) and replication >= settings.replications:
            raise UserError(
                _("--replication {n}: the run has 0 to {last}").format(
                    n=replication, last=settings.replications - 1
                )
            )
        settings = replace(
            settings, seed=settings.seed if seed is None else seed,
            engine=engine.value if engine else settings.engine,
        )  # fmt: skip
        check_place(world, date, unit)
        when_compiling(say_compiling)
        days = (date - world.campaign.first_day).days + 1
        with progress(_("{days} days").format(days=days), days) as done:
            log = event_log(
                world, date, unit, settings, replication,
                lambda today: done((today - world.campaign.first_day).days + 1),
            )  # fmt: skip
        write_log(log, out)
        if as_json:
            print_json(trace_data(log, unit, date, out))
        else:
            print(trace_text(log, unit, date, out))


def _fact(question: str, metavar: str) -> Any:
    """The option of a fact of a plan."""
    return typer.Option(metavar=metavar, help=question)


def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help=N_("Name of the scenario: NAME.toml is written."))
    ],
    province: Annotated[str | None, _fact(N_("Name of the province."), "TEXT")] = None,
    population: Annotated[str | None, _fact(N_("Inhabitants."), "NUMBER")] = None,
    vaccinated_before: Annotated[
        str | None, _fact(N_("Inhabitants vaccinated before the campaign [0]."), "NUMBER")
    ] = None,
    people: Annotated[
        str | None,
        _fact(
            N_("People to vaccinate, by language if there are several."), "NUMBER|LANGUAGE=N,..."
        ),
    ] = None,
    start: Annotated[str | None, _fact(N_("First day of vaccination."), "DATE")] = None,
    deadline: Annotated[str | None, _fact(N_("To be finished by."), "DATE")] = None,
    booking_from: Annotated[
        str | None, _fact(N_("First day of booking [a week before --start]."), "DATE")
    ] = None,
    units: Annotated[
        str | None,
        _fact(
            N_(
                "Vaccination units, by type if there are several; hospital, outside and estate "
                "have staff for 480, 720 and 960 people in 8 hours, others as hospital."
            ),
            "NUMBER|TYPE=N,...",
        ),
    ] = None,
    open_days: Annotated[
        str | None, _fact(N_("Open days of units and call centre [mon-sat]."), "DAYS")
    ] = None,
    unit_hours: Annotated[
        str | None, _fact(N_("Opening hours of the units [08:00-16:00]."), "HH:MM-HH:MM")
    ] = None,
    vaccine: Annotated[str | None, _fact(N_("Vaccine [astrazeneca]."), "NAME")] = None,
    deliveries: Annotated[
        str | None, _fact(N_("Doses by day of delivery."), "DATE=DOSES,...")
    ] = None,
    interval_days: Annotated[
        str | None, _fact(N_("Days between the two doses [84]."), "DAYS")
    ] = None,
    agents: Annotated[
        str | None,
        _fact(
            N_(
                "Agents of the call centre, by language if they speak only one "
                "[one for 14,000 people]."
            ),
            "NUMBER|LANGUAGE=N,...",
        ),
    ] = None,
    call_hours: Annotated[
        str | None, _fact(N_("Opening hours of the call centre [08:00-18:00]."), "HH:MM-HH:MM")
    ] = None,
    other_channels: Annotated[
        str | None,
        _fact(
            N_(
                "Bookings a day through other channels [enough for all who do not telephone, and "
                "half as many more]."
            ),
            "NUMBER",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help=N_("Ask nothing: assume what has a default."))
    ] = False,
) -> None:
    """Write a scenario of one's own from the few facts of a plan; asks for those not given.

    The file has comments, and says of every value where it comes from. What is in [brackets] is
    assumed unless said.
    """
    given = {key: value for key, value in locals().items() if isinstance(value, str)}
    with errors_reported():
        from sim.experiment.new_scenario import (
            read_facts,
            scenario_text,
            warnings_of,
            what_matters,
        )
        from sim.experiment.results import command
        from sim.experiment.sources import check_new_file, put
        from sim.scenario_files import Upload, load_scenario, raw_scenario

        path = _scenario_path(given.pop("name"))
        check_new_file(path)
        named_after = path.stem.replace("_", " ").replace("-", " ").title()
        if not yes and sys.stdin.isatty() and sys.stdout.isatty():
            _ask(given, named_after)
        facts, assumed, wrong = read_facts({"province": named_after, **given})
        if wrong:
            raise UserError(_what_is_wrong(wrong))
        content = scenario_text(facts, assumed, path.name).encode()
        upload = Upload(path.name, content)
        load_scenario(upload)
        put(path, content)
        print(_("Written: {path}").format(path=path))
        if lines := _assumed_lines(facts, assumed):
            print("\n  ".join([_("Assumed, because the plan does not say:"), *lines]))
        lines = [f"{key} = {value}" for key, value in what_matters(raw_scenario(upload))]
        print(
            "\n  ".join(
                [_("Assumed of every plan, and it matters; change it in the file:"), *lines]
            )
        )
        for warning in warnings_of(facts):
            say(_("warning: {text}").format(text=warning))
        print(
            _("Next: {check}, then {run}").format(
                check=command("check", path), run=command("run", path)
            )
        )


_NOT_IN_NAMES = set('<>|"?*:\\')
"""Signs that some system does not allow in names of files."""


def _scenario_path(name: str) -> Path:
    """The file that NAME means. Raises UserError for what is no sensible name of a file."""
    path = Path(name)
    if not name.isprintable() or not path.name[:1].isalnum() or _NOT_IN_NAMES & set(path.name):
        raise UserError(
            _(
                "NAME: give a name for the file, such as my_province; it begins with a letter or "
                "a digit"
            )
        )
    if not path.parent.is_dir():
        raise UserError(
            _("NAME {name}: there is no folder {folder}").format(name=name, folder=path.parent)
        )
    return path if path.suffix == ".toml" else path.with_name(f"{path.name}.toml")


def _ask(given: dict[str, str], named_after: str) -> None:
    """Ask for every fact that is not given, until the answer can be."""
    from sim.experiment.new_scenario import FACTS, FactError

    known: dict[str, Any] = {}
    for fact in FACTS:
        while True:
            asked = fact.name not in given
            default = fact.default(known) if fact.default else None
            if fact.name == "province":
                default = named_after
            try:
                if asked:
                    question = _(fact.question) + (f" [{default}]" if default else "")
                    try:
                        answer = input(f"{question}: ").strip()
                    except EOFError:
                        raise UserError(
                            _("not all questions were answered: nothing was written")
                        ) from None
                    known[fact.name] = fact.value(answer or default or "", known)
                    if answer:
                        given[fact.name] = answer
                else:
                    known[fact.name] = fact.value(given[fact.name], known)
                break
            except FactError as error:
                print(f"  {error}")
                given.pop(fact.name, None)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _what_is_wrong(wrong: Mapping[str, str]) -> str:
    """All that is wrong or missing, by option."""
    missing = [_option(name) for name, message in wrong.items() if not message]
    lines = [f"{_option(name)}: {message}" for name, message in wrong.items() if message]
    if missing:
        lines.append(
            _("missing: {options} (or run it in a terminal, and it asks)").format(
                options=", ".join(missing)
            )
        )
    return "\n".join(lines)


def _assumed_lines(facts: Mapping[str, Any], assumed: set[str]) -> list[str]:
    """What was assumed, as the options that would say it."""
    from sim.experiment.new_scenario import FACTS

    spoken = [f"--people {language}={n}" for language, n in facts["people"].items()]
    return (spoken if "language" in assumed else []) + [
        f"{_option(fact.name)} {fact.default(facts)}"
        for fact in FACTS
        if fact.default and fact.name in assumed
    ]
