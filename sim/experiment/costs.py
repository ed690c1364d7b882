"""What changes cost, as `--cost` says it: "agents=1,vaccinators=1.5"."""

from __future__ import annotations

from collections.abc import Sequence

from sim.experiment.settings import SettingsError
from sim.language import _

LEAST, MOST = 1e-6, 1e9
"""Beyond them sums of costs could no longer be told apart."""


class CostError(SettingsError):
    """A cost that cannot be."""


def read_costs(texts: Sequence[str], example: str) -> dict[str, float]:
    """Costs by name, from texts of NAME=COST separated by commas.

    Raises CostError for a cost that is no number from LEAST to MOST, and for one said twice;
    `example` shows what would be right.
    """
    costs: dict[str, float] = {}
    for written in map(str.strip, ",".join(texts).split(",")):
        name, equals, number = (part.strip() for part in written.partition("="))
        if not (name and equals and number):
            raise CostError(
                _("--cost {written}: write it as {example}").format(
                    written=written, example=example
                )
            )
        if name in costs:
            raise CostError(
                _("--cost {written}: {name} is named twice").format(written=written, name=name)
            )
        try:
            costs[name] = float(number)
        except ValueError:
            raise CostError(
                _("--cost {written}: {value!r} is no number").format(written=written, value=number)
            ) from None
        if not LEAST <= costs[name] <= MOST:
            text = _(
                "--cost {written}: a cost is a number above 0, and finite: from {least} to {most}"
            )
            least, most = f"{LEAST:f}", f"{MOST:,.0f}"
            raise CostError(text.format(written=written, least=least, most=most))
    return costs
