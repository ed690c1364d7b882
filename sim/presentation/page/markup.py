"""Pieces of HTML: everything that comes from a scenario is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from sim.language import _
from sim.presentation import style
from sim.presentation.page.words import REFUSED

STYLE = """<style>
.vx{font-size:1rem;line-height:1.5}
.vx p{margin:.25rem 0 .5rem}
.vx .verdict{font-size:1.25rem;line-height:1.45;padding:.6rem .9rem;border-left:.5rem solid;
  border-radius:.25rem;background:rgba(128,128,128,.10)}
.vx h1,.vx h2,.vx h3{padding:0;line-height:1.4;color:inherit;font-weight:600;margin:.2rem 0}
.vx h1{font-size:1.15rem}.vx h2{font-size:1.05rem}.vx h3{font-size:1rem}
.vx caption h2{font-size:inherit;margin:0}
.vx .about{font-size:.9rem;overflow-wrap:anywhere}
.vx table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
.vx caption{text-align:left;font-weight:600;padding:.4rem 0;caption-side:top;color:inherit}
.vx th,.vx td{padding:.25rem .5rem;border-bottom:1px solid rgba(128,128,128,.35);
  text-align:left;vertical-align:top;font-weight:400}
.vx thead th{font-weight:600}
.vx thead th,.vx thead td{border-bottom:2px solid rgba(128,128,128,.6)}
.vx .scroll{overflow-x:auto;max-width:100%}
.vx .alert{padding:.6rem .9rem;border-left:.5rem solid @FAILED;
  background:color-mix(in srgb,@FAILED 12%,transparent);
  white-space:pre-wrap;overflow-wrap:anywhere;font-family:monospace;font-size:.9rem}
.vx .sheets{display:flex;flex-wrap:wrap;gap:1rem}
.vx table.sheet{width:auto;font-size:.75rem}.vx table.sheet th,.vx table.sheet td{padding:.1rem;
  width:2.2rem;height:2.5rem;text-align:left;border:1px solid rgba(128,128,128,.35)}
.vx table.sheet th{height:auto;text-align:center}
.vx .mark{display:inline-block;width:1.1em;text-align:center;font-weight:600;font-size:.7rem;
  border:1px solid rgba(128,128,128,.5)}
.vx .legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;font-size:.85rem}
.vx .tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.6rem}
.vx figure{margin:.2rem 0}.vx figcaption{font-size:.8rem;font-weight:600}
.vx .tiles figcaption{font-weight:400;min-height:3.2em}
.vx pre{overflow-x:auto;font-size:.8rem;background:rgba(128,128,128,.10);padding:.6rem;
  color:inherit}
.vx th.part{padding-left:1.6rem}
.vx summary{font-weight:600;padding:.4rem 0;cursor:pointer}
.vx th.n,.vx td.n{text-align:right}.vx .note{font-size:.85rem}
.vx .bar{display:inline-block;height:.8em;vertical-align:baseline;border-radius:1px}
.vx .whole{white-space:nowrap}
.vx code{overflow-wrap:anywhere;color:inherit;background:rgba(128,128,128,.15)}
.stMainBlockContainer{padding:2.2rem 2rem 3rem}
.picture{max-width:46rem}.picture.narrow{display:none}
@media (max-width:640px){.stMainBlockContainer{padding:3.2rem 1rem 3rem}
  .picture.wide{display:none}.picture.narrow{display:block}
  .vx .verdict{font-size:1.1rem}}
.stNumberInput:has([data-testid="InputInstructions"]){padding-bottom:1.2rem}
.stNumberInput [data-testid="InputInstructions"]{top:auto;bottom:-1.4rem}
[data-testid="stSidebarContent"]{padding-left:1rem;padding-right:1rem}
[role="combobox"]{text-overflow:ellipsis}
.stElementContainer:has(#whole[hidden]){display:none}
[role="option"],[role="option"] div{height:auto;white-space:normal;overflow:visible}
[role="option"]{padding-top:.35rem;padding-bottom:.35rem}
@media (prefers-color-scheme:dark){button[kind="primary"]:enabled p{color:@UPON}}
</style>""".replace("@FAILED", style.FAILED).replace("@UPON", style.upon(style.CONTROLS["dark"]))
"""Of all that follows; once a page."""


def style_of_refusal() -> str:
    """Why Streamlit refuses a file, where all see it."""
    return (
        '<style>[data-testid="stFileUploaderDropzoneInstructions"]{display:none}'
        '[data-testid="stFileUploader"]:has([data-testid="stFileChip"][aria-invalid="true"])'
        f"::after{{content:{_css(_(REFUSED))};display:block;padding-top:.4rem;font-weight:600}}"
        "</style>"
    )


def _css(text: str) -> str:
    """A text as a style sheet writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def block(*parts: str, language: str, attributes: str = "") -> str:
    """Parts together, in the language that they are written in."""
    return f'<div class="vx" lang="{escape(language)}" {attributes}>{"".join(parts)}</div>'


def heading(level: int, text: str) -> str:
    """1: the page, 2: its parts, 3: theirs."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def whole_if_cut_off(text: str) -> str:
    """A text again, where the box with a choice above it is too narrow for it."""
    note = f'<p class="note" id="whole" hidden>{escape(text)}</p>'
    return f'<div class="vx">{note}</div><script>{_MEASURE}</script>'


_MEASURE = """document.fonts.ready.then(function look() {
  const whole = document.getElementById("whole");
  const box = document.querySelector("[data-testid=stSidebar] [role=combobox]");
  if (!box) return whole && requestAnimationFrame(look); // it is drawn a moment later
  const pen = document.createElement("canvas").getContext("2d"), style = getComputedStyle(box);
  pen.font = style.font;
  const room = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  whole.hidden = pen.measureText(whole.textContent).width <= room;
})"""


def verdict(text: str, colour: str) -> str:
    """The sentence that matters most."""
    return f'<p class="verdict" style="border-color:{colour}">{escape(text)}</p>'


def alert(text: str) -> str:
    """What is wrong, as the command line shows it."""
    return f'<div class="alert" role="alert">{escape(text)}</div>'


def folded(title: str, content: str) -> str:
    """HTML that is shown when its title is chosen."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def bars(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[tuple[str, Sequence[tuple[str, float, str]]]],
) -> str:
    """A part of the page: a table with a bar below each number.

    `rows`: (name, (text, share 0 ... 1, colour) ...); `columns`: headings of the numbers.
    """
    head = "<td></td>" + "".join(f'<th scope="col">{escape(text)}</th>' for text in columns)
    lines = []
    for name, cells in rows:
        numbers = "".join(
            f"<td>{escape(text)}<br>{_bar(share, colour) if share else ''}</td>"
            for text, share, colour in cells
        )
        lines.append(f'<tr><th scope="row" style="width:46%">{escape(name)}</th>{numbers}</tr>')
    return (
        f"<table><caption>{heading(2, caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _bar(share: float, colour: str) -> str:
    return (
        f'<span class="bar" aria-hidden="true" style="width:{100 * share:.2f}%;'
        f'background:{colour};outline:1px solid rgba(128,128,128,.5)"></span>'
    )


def colour_of(successes: int, replications: int) -> str:
    """Of a verdict: no, yes, or in between."""
    if successes == 0:
        return style.FAILED
    return style.REACHED if successes == replications else "currentColor"
