"""Claims about what the options of all commands share: numbers and dates in Thai digits."""

from pathlib import Path

import pytest
import tomlkit
from small_campaign import SMALL
from typer.testing import CliRunner

from sim.cli import app
from sim.cli.options import with_usual_digits

GOAL = ("--reach", "first_dose>=๐.๗")


class _Option:
    """What `with_usual_digits` asks of an option."""

    def __init__(self, metavar: str | None, *opts: str) -> None:
        self.metavar, self.opts = metavar, list(opts)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("goal", *GOAL, "--probability", "๑.๕"), "not 1.5"),
        (("goal", *GOAL, "--over", "agents<=๐"), "lever agents<=0: the bound must be at least 1"),
        (("goal", *GOAL, "--cost", "agents=๐"), "--cost agents=0: a cost is a number above 0"),
        (("staff", *GOAL, "--replications=๙๙"), "100"),
        (("staff", *GOAL, "--probability", "๒"), "probability 2: must be above 0 and below 1"),
        (("run", "--until", "๒๕๖๔-๐๖-๑๐"), "2564 is a Buddhist year: write 2021-06-10"),
        (("run", "--precision", "๒๐๐%"), "not at 200 %"),
        (
            ("run", "--set", "call_centre.lines=-๓"),
            "call_centre.lines = -3: must be a whole",
        ),
        (("sensitivity", "--samples", "๕"), "--samples 5: the samples are balanced"),
        (("risk", *GOAL, "--replications", "๓"), "--replications 3: half of them"),
    ],
)
def test_a_number_or_date_in_thai_digits_is_read_as_that_number(
    command: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what is wrong with the number is told: so it was read
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(tomlkit.dumps(SMALL))
    name, *options = command
    found = CliRunner().invoke(app, [name, "small.toml", *options])
    told = found.stderr or str(found.exception)
    assert found.exit_code == 2, told
    assert said in told
    assert "valid integer" not in told


def test_names_and_files_keep_their_digits() -> None:
    options = [_Option("KEY=VALUE", "--set"), _Option("DIR", "--out"), _Option("NUMBER", "--seed")]
    given = ["--set", "groups.กลุ่ม๑.people=๕,๐๐๐", "--out", "ผล๑", "๒.toml", "--seed=๗"]
    usual = ["--set", "groups.กลุ่ม๑.people=5,000", "--out", "ผล๑", "๒.toml", "--seed=7"]
    assert with_usual_digits(options, given) == usual
