"""Claims about orders: those of a stable sort, whatever way is taken to them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sim.model.order import Agenda, order_by_place, order_of, order_of_small

SIZES = st.integers(0, 40)
FEW = st.integers(0, 3)  # so that many are equal
TIMES = FEW | st.integers(0, 86_400_000_000)
PACKED_OR_NOT = TIMES | st.integers(0, 2**62)  # the largest leave no room for a position


@settings(deadline=None)  # the first call compiles
@given(arrays.arrays(np.int64, SIZES, elements=PACKED_OR_NOT))
def test_an_order_of_numbers_is_that_of_a_stable_sort(numbers: np.ndarray) -> None:
    assert order_of(numbers).tolist() == np.argsort(numbers, kind="stable").tolist()


@settings(deadline=None)
@given(arrays.arrays(np.int16, SIZES, elements=FEW))
def test_an_order_of_small_numbers_is_that_of_a_stable_sort(numbers: np.ndarray) -> None:
    assert order_of_small(numbers, 3).tolist() == np.argsort(numbers, kind="stable").tolist()


@settings(deadline=None)
@given(st.data(), SIZES)
def test_an_order_by_place_is_that_of_a_stable_sort_by_both(data: st.DataObject, n: int) -> None:
    places = data.draw(arrays.arrays(np.int16, n, elements=FEW | st.just(2**15 - 1)))
    numbers = data.draw(arrays.arrays(np.int64, n, elements=PACKED_OR_NOT))
    assert order_by_place(places, numbers).tolist() == np.lexsort((numbers, places)).tolist()


@pytest.mark.parametrize("together", [False, True])
def test_an_agenda_gives_each_day_those_entered_for_it_in_their_order(together: bool) -> None:
    agenda = Agenda(days=3)
    for day in (0, 2, 1, 2, 3):  # the last does not come
        who = np.array([10 * day, 10 * day + 1])
        if together:
            agenda.enter_all(who, day)
        else:
            agenda.enter(who, np.full(2, day))
    assert [agenda.take(day).tolist() for day in range(3)] == [[0, 1], [10, 11], [20, 21, 20, 21]]
    assert agenda.take(2).size == 0  # struck off
