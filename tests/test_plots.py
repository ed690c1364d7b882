"""Claims about the pictures: what they show, that nothing is cut off, the same bytes each time."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.text import Text
from small_campaign import made_up_tables, small_scenario

from sim.experiment.measures import measures_of
from sim.experiment.packing import pack
from sim.experiment.results import Run, RunError
from sim.experiment.run_writer import RunWriter
from sim.experiment.settings import RunSettings
from sim.presentation import plots, style

ROOT = Path(__file__).parent.parent

NAMES = ["coverage", "doses", "call_centre", "reasons", "unit_day", "binding", "binding_units"]
WITHOUT_Y_LABEL = ("reasons", "binding", "binding_units")
"""Their rows have names, or they are calendars."""


def made_up_run(
    folder: Path,
    scenario: Any,
    empty: bool = False,
    change: Callable[[dict[str, pd.DataFrame]], None] = lambda tables: None,
) -> Run:
    settings = RunSettings(replications=3)
    with RunWriter(folder, scenario, settings) as writer:
        for replication in range(3):
            tables = made_up_tables(scenario, replication)
            change(tables)
            if empty:
                tables = {
                    name: frame if name in ("reasons", "stock") else frame.iloc[:0]
                    for name, frame in tables.items()
                }
            row = {"replication": replication, **measures_of(tables, scenario)}
            writer.add(replication, pack({**tables, "replications": pd.DataFrame([row])}))
        return writer.finish()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_up_run(tmp_path_factory.mktemp("runs") / "run", small_scenario())


@pytest.fixture(scope="module")
def figures(run: Run) -> dict[str, Figure]:
    return dict(plots.pictures(run))


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_there_are_these_pictures(figures: dict[str, Figure]) -> None:
    assert list(figures) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_picture_has_title_scenario_and_axis_labels(figures: dict[str, Figure], name: str) -> None:
    figure = figures[name]
    assert "A small campaign" in figure.get_suptitle()
    assert all(
        axes.get_ylabel() or name in WITHOUT_Y_LABEL or not axes.get_subplotspec().is_first_col()
        for axes in figure.axes
    )
    assert any(axes.get_xlabel() for axes in figure.axes) or name == "binding"


def shown(axis: Any) -> list[Any]:
    """Ticks with a label within the limits of the axis."""
    low, high = sorted(axis.get_view_interval())
    return [
        tick
        for tick in axis.get_major_ticks()
        if tick.label1.get_visible() and tick.label1.get_text() and low <= tick.get_loc() <= high
    ]


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_cut_off_or_illegibly_small(figures: dict[str, Figure], name: str) -> None:
    figure = figures[name]
    FigureCanvasAgg(figure).draw()
    page = figure.bbox
    outside = {
        tick.label1
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in set(axis.get_major_ticks()) - set(shown(axis))
    }
    for text in set(figure.findobj(Text)) - outside:
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= page.x0 - 1, text
            assert box.x1 <= page.x1 + 1, text
            assert box.y0 >= page.y0 - 1, text
            assert box.y1 <= page.y1 + 1, text
            assert text.get_fontsize() >= 7, text


@pytest.mark.parametrize("name", NAMES)
def test_tick_labels_do_not_overlap(figures: dict[str, Figure], name: str) -> None:
    figure = figures[name]
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        boxes = [tick.label1.get_window_extent() for tick in shown(axes.xaxis)]
        boxes.sort(key=lambda box: box.x0)
        assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
        rows = sorted(
            (tick.label1.get_window_extent() for tick in shown(axes.yaxis)),
            key=lambda box: box.y0,
        )
        assert all(a.y1 < b.y0 + 1 for a, b in pairwise(rows))


def test_coverage_shows_median_goal_and_deadline(figures: dict[str, Figure]) -> None:
    left, right = figures["coverage"].axes
    first = left.lines[0]
    # the middle one of 672, 648 and 624 people; 600 of 2,000 inhabitants were vaccinated before
    assert first.get_ydata()[-1] == pytest.approx((648 + 600) / 2000)
    assert right.lines[0].get_ydata()[-1] == pytest.approx(648 / 1000)
    assert first.get_color() == style.FIRST_DOSE
    assert any(
        list(line.get_xdata()) == [date2num(small_scenario().campaign.deadline)] * 2
        for line in left.lines
    )
    assert "goal 70 %" in texts(figures["coverage"])
    assert len(left.collections) == 2  # a band for each curve


def test_doses_are_compared_with_the_slots_of_the_staff(figures: dict[str, Figure]) -> None:
    above, below = figures["doses"].axes
    # 2 units with 2 vaccinators for 120 minutes at 4 minutes: 60 a day each
    assert "120 slots a day" in texts(figures["doses"])
    assert max(bar.get_height() for bar in above.patches) == pytest.approx(2 * 27)
    assert {"+500", "+400"} <= {text.get_text() for text in below.texts}


def test_line_at_nought_is_not_hidden_by_the_axis(figures: dict[str, Figure]) -> None:
    right = figures["coverage"].axes[1]
    _, full = right.lines[:2]
    # nobody is fully vaccinated before 28 June: the line runs along the lower end of the axes
    assert full.get_ydata()[0] == 0 == right.get_ylim()[0]
    assert not full.get_clip_on()
    assert full.get_zorder() > right.spines["bottom"].get_zorder()


def test_only_stock_that_can_be_seen_is_in_the_legend(
    run: Run, figures: dict[str, Figure], tmp_path: Path
) -> None:
    def legend(figure: Figure) -> list[str]:
        found = figure.axes[1].get_legend()
        return [text.get_text() for text in found.get_texts()] if found else []

    assert legend(figures["doses"]) == ["in the provincial store"]  # the units keep none overnight

    def stocked(tables: dict[str, pd.DataFrame]) -> None:
        stock = tables["stock"]
        stock.loc[stock["place"] == "north", "on_hand"] = 50

    def empty(tables: dict[str, pd.DataFrame]) -> None:
        tables["stock"]["on_hand"] = 0

    both = made_up_run(tmp_path / "both", small_scenario(), change=stocked)
    assert legend(plots.doses(both)) == ["in the provincial store", "at the units"]
    none = made_up_run(tmp_path / "none", small_scenario(), change=empty)
    assert legend(plots.doses(none)) == []
    assert "no doses in the evening of any day" in texts(plots.doses(none))


def test_call_centre_shows_outcomes_and_people(figures: dict[str, Figure]) -> None:
    above, below = figures["call_centre"].axes
    # a day: 17 answered, 7 abandoned, 8 blocked and one more in each further replication
    heights = {bar.get_height() for bar in above.patches}
    assert heights == {17.0, 7.0, 9.0}
    labels = [line.get_label() for line in below.lines]
    assert labels == ["calls", "people calling", "people who got through"]
    assert below.lines[0].get_ydata()[0] == pytest.approx(33)
    assert below.lines[1].get_ydata()[0] == pytest.approx(22)


def test_reasons_fall_from_the_target_to_the_vaccinated(figures: dict[str, Figure]) -> None:
    for axes, vaccinated in zip(figures["reasons"].axes, (648, 0), strict=True):
        bars = axes.patches
        assert bars[0].get_width() == 1000
        assert bars[-1].get_width() == vaccinated
        right = 1000.0
        for bar in bars[1:-1]:  # each begins where the one before has ended
            assert bar.get_x() + bar.get_width() == pytest.approx(right)
            right = bar.get_x()
        assert right == pytest.approx(vaccinated)


def test_day_of_a_unit_is_that_of_the_unit_asked_for(run: Run) -> None:
    figure = plots.unit_day(run, "south")
    assert "south" in figure.get_suptitle()
    assert "3 June 2021" in figure.get_suptitle()
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == [
        "registration", "vaccination", "observation",
    ]  # fmt: skip


def test_unknown_unit_is_refused_before_anything_is_drawn(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no unit 'nort'.*north, south"):
        plots.save_pictures(run, tmp_path / "pictures", "nort")
    assert not (tmp_path / "pictures").exists()


def test_files_are_the_same_bytes_each_time(run: Run, tmp_path: Path) -> None:
    first, second = (plots.save_pictures(run, tmp_path / name) for name in ("a", "b"))
    assert [p.name for p in first] == [f"{n}.{e}" for n in NAMES for e in ("png", "svg")]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert all(p.stat().st_size > 5000 for p in first)


def test_pictures_that_cannot_be_written_are_an_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        plots.save_pictures(run, tmp_path / "file")


def test_a_campaign_in_which_nothing_happens_has_pictures_too(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run", small_scenario(), empty=True)
    assert [name for name, _ in plots.pictures(run)] == NAMES
    assert "nobody called" in texts(plots.call_centre(run))
    day = plots.unit_day(run)
    assert "no sessions" in texts(day)
    assert "A day at north\nA small campaign" in day.get_suptitle()  # nothing of a date
    assert not day.axes[0].axison


def test_drawing_leaves_matplotlib_as_it_was(run: Run) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    list(plots.pictures(run))
    assert dict(mpl.rcParams) == before


def test_pictures_are_drawn_with_fonts_for_every_language() -> None:
    # whoever sets how pictures look by hand forgets the Thai font, and its letters are boxes
    by_hand = [
        path.name
        for path in sorted((ROOT / "sim" / "presentation").rglob("*.py"))
        if "rc_context" in path.read_text(encoding="utf-8")
    ]
    assert by_hand == ["figures.py"]


def test_coverage_is_drawn_under_its_ceiling(run: Run, figures: dict[str, Figure]) -> None:
    _left, right = figures["coverage"].axes
    ceiling = right.lines[1].get_ydata()
    assert ceiling[-1] == run.ceiling.first_in_all / run.scenario.target
