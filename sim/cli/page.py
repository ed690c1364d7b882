"""The command that shows the page: `app`."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.console import UserError, errors_reported, say, say_compiling
from sim.experiment.settings import DEFAULT_SEED
from sim.language import _

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8501


def page(
    scenarios: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="SCENARIO",
            help="Scenario files, or folders of them, that the page offers; the first one is shown "
            "(default: the folder scenarios, plan.toml first).",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, metavar="PORT", help="Port.")
    ] = DEFAULT_PORT,
    address: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on. The page asks nobody for a password: with another one than "
            "this machine's own, everybody who reaches it can use it.",
        ),
    ] = LOOPBACK,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser window.")
    ] = True,
) -> None:
    """Show a page: move what can be moved, and see the answer at once. (Needs the extra `app`.)

    Ctrl-C ends it.
    """
    with errors_reported():
        _need_streamlit()
        files = scenario_files(scenarios or [Path("scenarios")])
        _check_free(address, port)
        from sim.language import language
        from sim.presentation.page.ensemble import stop_all
        from sim.presentation.page.serving import SCRIPT, serve

        serve(files, language())
        _get_ready()
        url = f"http://{f'[{address}]' if ':' in address else address}:{port}"
        say(_("the page is at {url} (Ctrl-C ends it)").format(url=url))
        if browser:
            _open_when_ready(url, address, port)
        try:
            _run_server(SCRIPT, address, port)
        finally:
            stop_all()
        interrupted = KeyboardInterrupt()
        interrupted.add_note(_("the page is closed"))
        raise interrupted


def scenario_files(paths: list[Path]) -> list[Path]:
    """The scenario files that are meant; the plan first where a folder has one."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            here = sorted(path.glob("*.toml"), key=lambda file: (file.stem != "plan", file.stem))
            if not here:
                raise UserError(_("{path} has no scenario files (*.toml)").format(path=path))
            found += here
        elif path.is_file():
            found.append(path)
        elif path == Path("scenarios"):
            raise UserError(
                _("there is no folder scenarios here: name scenario files, or a folder")
            )
        else:
            raise UserError(
                _("{path} does not exist: name scenario files, or folders of them").format(
                    path=path
                )
            )
    by_name: dict[str, Path] = {}
    for file in found:
        if by_name.setdefault(file.stem, file).resolve() != file.resolve():
            raise UserError(
                _("two scenario files are called {name}: leave one out").format(name=file.stem)
            )
    return list(by_name.values())


def _get_ready() -> None:
    """Load everything and find the first answer, so that no reader need wait for it."""
    import sim.presentation.page.view  # noqa: F401
    from sim.compilation import when_compiling
    from sim.presentation.page.answers import answered
    from sim.presentation.page.serving import serving
    from sim.presentation.page.state import Choice

    when_compiling(say_compiling)
    scenarios = serving().scenarios
    name, *others = scenarios
    answered(name, scenarios.load(Choice(name)), DEFAULT_SEED)
    for name in others:
        scenarios.title(name)


def _need_streamlit() -> None:
    from importlib.util import find_spec

    if find_spec("streamlit") is None:
        raise UserError(_('the page needs Streamlit: pip install "vaxsim[app]"'))


def _check_free(address: str, port: int) -> None:
    """Raise UserError where nobody can listen at this address and port."""
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise UserError(
            _("--address {address}: there is no such address").format(address=address)
        ) from None
    with socket.socket(found[0], found[1]) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(found[4])
        except PermissionError:
            raise UserError(
                _("port {port} may not be used: choose one from 1024 on with --port").format(
                    port=port
                )
            ) from None
        except OSError as error:
            if error.errno in _NOT_HERE:
                raise UserError(
                    _("--address {address} is none of this machine's").format(address=address)
                ) from None
            raise UserError(
                _(
                    "port {port} is in use, perhaps by another page: choose another with --port"
                ).format(port=port)
            ) from None


_NOT_HERE = {99, 49, 10049}
"""Error numbers for an address that is not this machine's: Linux, macOS, Windows."""


def _open_when_ready(url: str, address: str, port: int) -> None:
    """Open a browser window as soon as the page answers."""
    import threading
    import time
    import webbrowser

    def wait() -> None:
        for _attempt in range(100):
            time.sleep(0.2)
            with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
                webbrowser.open(url)
                return

    threading.Thread(target=wait, daemon=True).start()


def _run_server(script: Path, address: str, port: int) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    from streamlit import config, net_util
    from streamlit.web import bootstrap

    from sim.presentation.style import CONTROLS

    # To judge whether a foreign page may connect, Streamlit would ask a server outside for this
    # machine's address: nothing is asked of the outside here
    net_util.get_external_ip = lambda: None

    options = {
        "server.address": address,
        "server.port": port,
        "server.headless": True,
        "server.maxUploadSize": 1,
        "server.fileWatcherType": "none",
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "global.developmentMode": False,
        "logger.level": "error",
        "logger.hideWelcomeMessage": True,
    }
    flags = {name.replace(".", "_"): value for name, value in options.items()}
    bootstrap.load_config_options(flag_options=flags)
    for screen, colour in CONTROLS.items():  # where this Streamlit tells the two apart
        if "primaryColor" in config.get_options_for_section(f"theme.{screen}"):
            config.set_option(f"theme.{screen}.primaryColor", colour)
    bootstrap.run(str(script), False, [], flags)
