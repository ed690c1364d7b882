"""The page: inputs at the side, the answer in the middle, panels below it."""

from __future__ import annotations

import traceback
from dataclasses import replace
from typing import Any

import streamlit as st

from sim.language import LANGUAGES, _, named, speaking
from sim.presentation.page import headline, markup, panels, words
from sim.presentation.page.answers import Answered, answered, give_back_memory
from sim.presentation.page.desk import Desk
from sim.presentation.page.inputs import lever_inputs
from sim.presentation.page.panels_with_buttons import beside_pinned, ensemble, take_away
from sim.presentation.page.serving import Serving, serving
from sim.presentation.page.state import (
    IMPORTED,
    PANELS,
    Choice,
    changes_in,
    language_wanted,
    state_in,
)
from sim.scenario_files import ScenarioError


def show() -> None:
    """One redrawing of the page for one reader, who may interrupt it with the next change."""
    try:
        _redraw()
    finally:
        give_back_memory()


def _redraw() -> None:
    here = serving()
    desk = _desk(here)
    with speaking(desk.state.language):
        st.set_page_config(
            page_title=_("Vaccination campaign"), page_icon="💉", layout="wide",
            initial_sidebar_state="auto",
        )  # fmt: skip
        st.html(markup.STYLE + markup.style_of_refusal())
        st.html(words.script(desk.state.language), unsafe_allow_javascript=True)
        st.html(panels.block(markup.heading(1, _("Vaccination campaign"))))
        with st.sidebar:
            st.html(panels.block(markup.heading(2, _("What can be moved"))))
            _choose(desk)
        if desk.unknown:
            wrong = _("This part of the address cannot be: {parts}")
            st.html(markup.block(
                markup.alert(wrong.format(parts=", ".join(desk.unknown))),
                language=desk.state.language,
            ))  # fmt: skip
        try:
            _answer(desk)
        except Exception as error:
            wrong = _("An error in vaxsim itself: {error}. Please report it with this address.")
            told = type(error).__name__  # its text may have names of this machine's folders
            st.html(markup.block(
                markup.alert(wrong.format(error=told)), language=desk.state.language
            ))  # fmt: skip
            traceback.print_exc()
        _write_address(desk)


def _desk(here: Serving) -> Desk:
    """The reader's desk; what a new address asks for is put upon it."""
    parameters = {key: st.query_params.get_all(key) for key in st.query_params}
    desk: Desk | None = st.session_state.get("desk")
    if desk is None or (parameters != desk.address and not _moved(desk)):
        spoken = desk.state.language if desk else _language(here)
        offered = [*here.scenarios, *([IMPORTED] if desk and desk.upload else [])]
        state, wrong = state_in(parameters, offered, spoken)
        if desk is None:
            desk = Desk(here.scenarios, state)
            st.session_state["desk"] = desk
        desk.take(state)
        desk.unknown = wrong
    desk.inputs = _inputs()
    return desk


def _moved(desk: Desk) -> bool:
    """Whether the reader has moved an input: then the address is not newer, but of before.

    A browser that is asked to show an address takes a while; what is moved meanwhile comes with the
    former one.
    """
    now = _inputs()
    return any(now[key] != desk.inputs[key] for key in now.keys() & desk.inputs.keys())


def _inputs() -> dict[str, Any]:
    """The values of all inputs that have a name."""
    return {str(key): value for key, value in st.session_state.items() if key != "desk"}


def _language(here: Serving) -> str:
    """The language that the reader's browser asks for."""
    own = getattr(st.context, "locale", None)  # not in every version of Streamlit
    headers = st.context.headers
    return language_wanted(own or headers.get("Accept-Language", ""), here.language)


def _write_address(desk: Desk) -> None:
    address = desk.state.address()
    desk.address = {key: [v] if isinstance(v, str) else v for key, v in address.items()}
    if {key: st.query_params.get_all(key) for key in st.query_params} != desk.address:
        st.query_params.from_dict(address)
    desk.inputs = _inputs()


# The side bar ---------------------------------------------------------------------------------


def _choose(desk: Desk) -> None:
    """Language, scenario, levers."""
    state = desk.state
    code = st.radio(
        _("Language"), list(LANGUAGES), list(LANGUAGES).index(state.language), horizontal=True,
        format_func=LANGUAGES.__getitem__, key=f"{desk.generation}/language",
    )  # fmt: skip
    if code != state.language:
        desk.take(replace(state, language=code))
        st.rerun()
    offered = [*desk.scenarios, *([IMPORTED] if desk.upload else [])]
    name = st.selectbox(
        _("Scenario"), offered, offered.index(state.choice.scenario),
        format_func=lambda name: _title(desk, name), key=f"{desk.generation}/scenario",
    )  # fmt: skip
    st.html(markup.whole_if_cut_off(_title(desk, name)), unsafe_allow_javascript=True)
    if name != state.choice.scenario:
        desk.take(replace(state, choice=Choice(name)))
        st.rerun()
    _own_file(desk)
    values = lever_inputs(desk)
    with st.expander(_("Any other value, and the seed")):
        others = st.text_area(
            _("Further changes, one a line: dotted.path=value"), "\n".join(desk.others),
            key=f"{desk.generation}/others",
        )  # fmt: skip
        seed = st.text_input(
            _("Seed: the same seed gives the same people the same luck"), str(state.seed),
            key=f"{desk.generation}/seed",
        )  # fmt: skip
    if changes_in(others) != desk.others:
        changes = (*desk.moved((), values).changes, *changes_in(others))
        desk.take(replace(state, choice=Choice(name, changes)))
        st.rerun()
    desk.seen(choice=desk.moved(desk.others, values), seed=_seed(seed, state.seed))
    if desk.state.choice.changes and st.button(_("Take all changes back")):
        desk.take(replace(desk.state, choice=Choice(name)))
        st.rerun()


def _own_file(desk: Desk) -> None:
    """A scenario file of the reader's own; its errors are shown as the command line shows them."""
    with st.expander(_("Open a scenario file")):
        sent = st.file_uploader(
            _("Scenario file (TOML, at most 1 MB); it may extend one of those above"),
            key=f"{desk.generation}/upload",
        )  # fmt: skip
        if sent is None:
            return
        try:
            upload = desk.scenarios.upload(sent.name, sent.getvalue())
            desk.scenarios.load(Choice(IMPORTED), upload)
        except ScenarioError as error:
            st.html(markup.block(
                markup.paragraph(_("This file cannot be used:")), markup.alert(str(error)),
                language=desk.state.language,
            ))  # fmt: skip
            return
    desk.upload = upload
    desk.take(replace(desk.state, choice=Choice(IMPORTED)))
    st.rerun()


def _seed(text: str, before: int) -> int:
    found, wrong = state_in({"seed": [text.strip()]}, [""], "en")
    if wrong:
        st.html(markup.alert(_("a seed is a whole number from 0 to 2**64 - 1")))
        return before
    return found.seed


def _title(desk: Desk, name: str) -> str:
    if name == IMPORTED and desk.upload is not None:
        return desk.upload.name
    return named(desk.scenarios.title(name))


# The answer -----------------------------------------------------------------------------------


def _answer(desk: Desk) -> None:
    """The verdict, the curve, the reasons; what is wrong instead, where there is no answer."""
    wrong = _("This scenario cannot be simulated:")
    found = _found(desk, desk.state.choice, wrong)
    if found is None:
        return
    scenario, state = found.run.scenario, desk.state
    desk.error = ""
    st.html(headline.verdict(found, headline.about(scenario, state.choice.changes, state.seed)))
    wrong = _("The pinned scenario cannot be simulated:")
    pinned = _found(desk, state.pinned, wrong) if state.pinned else None
    first, second = st.columns([1.35, 1])
    with first:
        st.html(headline.coverage(found, pinned))
    with second:
        st.html(headline.reasons(found))
    st.html(headline.explanation(found))
    _pin(desk)
    _panel(desk, found, pinned)


def _found(desk: Desk, choice: Choice, wrong: str) -> Answered | None:
    """The answer to a choice; None, and what is wrong is shown, where there is none."""
    try:
        scenario = desk.scenarios.load(choice, desk.upload_of(choice))
    except ScenarioError as error:
        st.html(markup.block(
            markup.paragraph(wrong), markup.alert(str(error)), language=desk.state.language,
        ))  # fmt: skip
        return None
    return answered(_title(desk, choice.scenario), scenario, desk.state.seed, _notice_newer_wishes)


def _notice_newer_wishes() -> None:
    """End this redrawing where the reader has moved something else meanwhile.

    Streamlit does so whenever its session state is looked at.
    """
    st.session_state.get("desk")


def _pin(desk: Desk) -> None:
    """Pin what is shown, or let go of what is pinned."""
    state = desk.state
    columns = st.columns([1.2, 1.6, 1, 1.2])
    if columns[0].button(_("Pin this scenario"), disabled=state.pinned == state.choice):
        desk.pinned_upload = desk.upload
        desk.seen(pinned=state.choice)
        st.rerun()
    if state.pinned is not None:
        if columns[1].button(_("Go back to the pinned one")):
            desk.upload = desk.pinned_upload or desk.upload
            desk.take(replace(state, choice=state.pinned))
            st.rerun()
        if columns[2].button(_("Unpin")):
            desk.seen(pinned=None)
            st.rerun()


def _panel(desk: Desk, found: Answered, pinned: Answered | None) -> None:
    names = list(PANELS)
    begin = names.index(desk.state.panel) if desk.state.panel in names else 0
    name = st.radio(
        _("More about this answer"), names, begin, horizontal=True,
        format_func=lambda name: _(PANELS[name]), key=f"{desk.generation}/panel",
    )  # fmt: skip
    desk.seen(panel="" if name == names[0] else name)
    st.html(panels.block(markup.heading(2, _(PANELS[name]))))
    if name == "binds":
        st.html(panels.what_binds(found))
    elif name == "call_centre":
        st.html(panels.call_centre(found))
    elif name == "units":
        shown = st.selectbox(
            _("Day by day, at each unit"), list(panels.UNIT_MEASURES),
            format_func=lambda name: _(panels.UNIT_MEASURES[name]),
        )  # fmt: skip
        st.html(panels.units(found, shown))
    elif name == "doses":
        st.html(panels.doses(found))
    elif name == "compare":
        beside_pinned(desk, found, pinned)
    elif name == "ensemble":
        ensemble(desk, found, pinned)
    elif name == "assumptions":
        st.html(panels.assumptions(found))
    else:
        take_away(desk, found, pinned)
