"""What is told of a command line that cannot be, in our words and in the language spoken.

The library of the command line speaks English alone; its messages are known by their form.
"""

from __future__ import annotations

import re
from typing import Any

from sim.language import N_, _

_MESSAGES = {
    r"Invalid value for (?P<name>.+?): (?P<why>.+)": N_("{name}: {why}"),
    r"Missing (?:argument|option|parameter) (?P<name>.+?)\..*": N_("{name} is missing"),
    r"No such option:? (?P<name>[^ ]+?)\.?(?: \(Possible options: (?P<near>.+)\))?": N_(
        "there is no option {name}{near}"
    ),
    r"Got unexpected extra arguments?(?:\(s\))? \((?P<name>.+)\)": N_("not expected: {name}"),
    r"Option (?P<name>.+) requires .*": N_("{name} needs a value"),
    r"Option (?P<name>.+) does not take a value\.": N_("{name} takes no value"),
}
_REASONS = {
    r"Input should be a valid integer.*|.* is not a valid integer\.": N_("must be a whole number"),
    r"Input should be a valid number.*|.* is not a valid float\.": N_("must be a number"),
    r"Input should be greater than or equal to (?P<n>.+)": N_("must be at least {n}"),
    r"Input should be less than or equal to (?P<n>.+)": N_("must be at most {n}"),
    r"(?:Value error, )?(?P<value>.+) is not one of (?P<choices>.+?)\.?": N_(
        "{value} is none of {choices}"
    ),
    r"(?P<value>.+) is not in the range (?P<range>.+)\.": N_("{value} is not in the range {range}"),
}
"""By what the library says, of several of its versions; what is not here is told as it is."""


def usage_error(error: Any) -> str:
    """What is wrong on the command line, and where help is."""
    said = _in_words(error.format_message(), _MESSAGES)
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "vaxsim"
    return f"{said}\n" + _("see {command} --help").format(command=command)


def _in_words(message: str, known: dict[str, str]) -> str:
    for pattern, words in known.items():
        found = re.fullmatch(pattern, message, re.DOTALL)
        if found:
            parts = {name: text or "" for name, text in found.groupdict().items()}
            if "name" in parts:
                parts["name"] = parts["name"].replace("'", "")
            if "why" in parts:
                parts["why"] = _in_words(parts["why"], _REASONS)
            if parts.get("near"):
                parts["near"] = _("; did you mean {near}?").format(near=parts["near"])
            return _(words).format(**parts)
    return message


def leave_types_out(command: Any) -> None:
    """Have a help text name its arguments without the types of Python, such as list[Path]."""
    for parameter in command.params:
        if parameter.param_type_name == "argument" and parameter.metavar:
            parameter.display_type_rich = lambda ctx: ""


def speak_in_help(group: Any) -> None:
    """Have the first line of every help text in the language spoken."""
    for command in (group, *group.commands.values()):
        command.options_metavar = _("[OPTIONS]")
        command.format_usage = _usage_of(command)
    group.subcommand_metavar = _("COMMAND [ARGS]...")


def _usage_of(command: Any) -> Any:
    def format_usage(context: Any, formatter: Any) -> None:
        pieces = " ".join(command.collect_usage_pieces(context))
        formatter.write_usage(context.command_path, pieces, prefix=_("Usage: "))

    return format_usage
