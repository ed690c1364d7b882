"""The command `vaxsim`, and `python -m sim`: Ctrl-C is heeded before anything long is loaded.

What comes before the first line here, Python's own start, nobody here can heed.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Entry point of the command."""
    signal.signal(signal.SIGINT, _leave)  # until the command line is there
    from sim.cli import main as command_line

    command_line()


def _leave(signal_number: int, frame: FrameType | None) -> None:
    try:
        from sim.language import _, of_locale, speak

        speak(of_locale())
        said = "; ".join([_("interrupted"), _("nothing was kept")])
    except Exception:  # while just these were being loaded
        said = "interrupted; nothing was kept"
    sys.stderr.write(f"vaxsim: {said}\n")
    sys.stderr.flush()
    os._exit(128 + signal_number)  # an exception can be lost in what is being loaded


if __name__ == "__main__":
    main()
