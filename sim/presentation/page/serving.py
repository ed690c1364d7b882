"""What a page serves: set once by `vaxsim app`, read by every reader's script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sim.presentation.page.state import Scenarios

SCRIPT = Path(__file__).with_name("script.py")


@dataclass(frozen=True)
class Serving:
    """Scenarios, and the language for browsers that ask for none that is spoken here."""

    scenarios: Scenarios
    language: str


_serving: Serving | None = None


def serve(files: Sequence[Path], language: str) -> None:
    """Have the page serve these scenario files."""
    global _serving
    _serving = Serving(Scenarios(files), language)


def serving() -> Serving:
    """What is served."""
    if _serving is None:
        raise RuntimeError("the page is started by `vaxsim app`")
    return _serving
