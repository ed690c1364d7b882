"""The random numbers: published known answers, frozen streams, exact tables.

Everything random in the program comes from here, so a change that these tests do not notice would
silently change every published result.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sim.random_streams import (
    CELLS,
    RandomStreams,
    Stream,
    cumulative_thresholds,
    draw,
    interval,
    interval_starts,
    philox,
    quantile_table,
    stream_word,
    threshold,
)
from sim.scenario import Constant, Empirical, Exponential, Gamma, Lognormal, Normal, Uniform

N = 40_000


def words(n: int = N, word: int = 0, **at: int) -> np.ndarray:
    streams = RandomStreams(at.get("seed", 1), at.get("replication", 0))
    return streams.blocks(at.get("stream", 7), np.arange(n), at.get("attempt", 0))[word]


# Known answers of Philox4x32-10, published with Random123 (kat_vectors). The key is the seed, low
# word first; the counter is (entity, attempt, stream word, replication).
@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF, 0xFFFFFFFF),
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_known_answers(
    counter: tuple[int, ...], key: tuple[int, int], answer: tuple[int, ...]
) -> None:
    entity, attempt, stream, replication = counter
    assert tuple(map(int, philox(*counter, *key))) == answer
    streams = RandomStreams(key[0] | key[1] << 32, replication)
    block = streams.blocks(stream, np.array([entity], dtype=np.uint32), np.uint32(attempt))
    assert tuple(map(int, block[:, 0])) == answer


def test_stream_ids_are_frozen() -> None:
    # Renumbering one changes every result that depends on it.
    assert {stream.name: int(stream) for stream in Stream} == {
        "PERSON": 1,
        "FIRST_CALL": 2,
        "INQUIRY": 3,
        "BOOKING_CALL": 4,
        "INQUIRY_CALL": 5,
        "CONVERSION": 6,
        "NEXT_DAY_CALL": 7,
        "VISIT": 8,
        "STATION": 9,
        "DELIVERY": 10,
        "WALK_IN": 11,
        "WALK_IN_PERSON": 12,
        "WALK": 13,
        "BOOKING_WRAP_UP": 14,
        "INQUIRY_WRAP_UP": 15,
    }


def test_stream_words_are_frozen_and_carry_the_id_in_the_top_byte() -> None:
    assert stream_word(Stream.VISIT) == 8 << 24
    # crc32("thai") = 0xCB55F155; 0x55F155 ^ 0xCB55F1 = 0x9EA4A4, below the id 0x08.
    assert stream_word(Stream.VISIT, "thai") == 0x089EA4A4


def test_names_in_a_stream_word_do_not_run_together() -> None:
    assert stream_word(Stream.STATION, "ab", "c") != stream_word(Stream.STATION, "a", "bc")


def test_stream_words_of_many_names_hardly_ever_collide() -> None:
    # 24 bits for 2,000 names: 2000^2 / 2 / 2^24 = 0.12 collisions expected.
    many = {stream_word(Stream.STATION, f"station_{i}", f"group_{j}") for i in range(50)
            for j in range(40)}  # fmt: skip
    assert len(many) >= 1998


def test_a_block_depends_on_nothing_but_its_own_address() -> None:
    streams = RandomStreams(5, 3)
    entities = np.array([9, 4, 70_000, 4], dtype=np.uint32)
    together = streams.blocks(11, entities, 2)
    alone = np.stack([streams.blocks(11, int(e), 2)[:, 0] for e in entities], axis=1)
    assert (together == alone).all()


@pytest.mark.parametrize("other", [{"seed": 2}, {"seed": 1 + 2**32}, {"replication": 1},
                                   {"stream": 8}, {"attempt": 1}])  # fmt: skip
def test_other_addresses_give_uncorrelated_numbers(other: dict[str, int]) -> None:
    # The correlation of independent uniforms has standard error 1 / sqrt(N) = 0.005; 5 of them.
    assert abs(np.corrcoef(words(), words(**other))[0, 1]) < 5 / math.sqrt(N)


@pytest.mark.parametrize("word", range(4))
def test_words_are_uniform(word: int) -> None:
    # 256 bins by the top byte, and by the lowest: chi-square with 255 degrees of freedom.
    for bits in (words(word=word) >> 24, words(word=word) & 255):
        counts = np.bincount(bits, minlength=256)
        assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize(("seed", "replication"), [(-1, 0), (2**64, 0), (0, -1), (0, 2**32)])
def test_a_seed_or_replication_out_of_range_is_refused(seed: int, replication: int) -> None:
    with pytest.raises(ValueError, match="is not between"):
        RandomStreams(seed, replication)


def test_the_largest_seed_and_replication_work() -> None:
    assert RandomStreams(2**64 - 1, 2**32 - 1).blocks(1, np.arange(3)).shape == (4, 3)


# Quantile tables ------------------------------------------------------------------------------


def test_a_constant_is_drawn_exactly() -> None:
    table = quantile_table(Constant(distribution="constant", value=4.0), 60_000_000)
    assert set(draw(table, words(1000))) == {240_000_000}


def test_a_constant_with_a_shift_is_drawn_exactly() -> None:
    constant = Constant(distribution="constant", value=-10.0, shift=2.5)
    assert set(draw(quantile_table(constant, 60), words(100))) == {-450}


@pytest.mark.parametrize(
    "distribution",
    [
        Uniform(distribution="uniform", low=1.0, high=3.0),
        Exponential.model_validate({"distribution": "exponential", "mean": 5.0}),
        Lognormal.model_validate({"distribution": "lognormal", "mean": 4.0, "cv": 0.6}),
        Gamma.model_validate({"distribution": "gamma", "mean": 4.0, "cv": 1.5}),
        Normal.model_validate({"distribution": "normal", "mean": 2.0, "sd": 2.0}),
        Empirical(distribution="empirical", values=[1.0, 2.0, 2.0, 9.0]),
    ],
    ids=lambda d: d.distribution,
)
def test_the_table_has_the_mean_of_its_distribution(distribution) -> None:  # type: ignore[no-untyped-def]
    # Over the whole grid of words: no sampling error, only the table's own (below 1 in 1,000).
    grid = np.linspace(0, 2**32 - 1, 2**20).astype(np.uint32)
    drawn = draw(quantile_table(distribution, 10**6), grid) / 10**6
    assert drawn.mean() == pytest.approx(distribution.mean(), rel=1e-3)


def test_values_with_weights_are_drawn_as_often_as_these_say_and_nothing_between() -> None:
    # 3/8, 1/8 and 4/8 are whole numbers of 2**-32, so 2**16 evenly spaced words show them exactly;
    # the mean is (3 x -1 + 1 x 2 + 4 x 10) / 8 = 4.875, with the shift of 0.5 it is 5.375.
    law = Empirical(
        distribution="empirical", values=[10.0, -1.0, 2.0], weights=[4.0, 3.0, 1.0], shift=0.5
    )
    table = quantile_table(law, 1000)
    drawn = draw(table, (np.arange(2**16, dtype=np.uint64) << np.uint64(16)).astype(np.uint32))
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [-500, 2500, 10500]
    assert counts.tolist() == [3 * 2**13, 2**13, 4 * 2**13]
    assert drawn.mean() / 1000 == law.mean() == 5.375
    # the first and the last word, and both sides of an end, 3/8 of 2**32
    ends = np.array([0, 3 * 2**29 - 1, 3 * 2**29, 2**32 - 1], dtype=np.uint32)
    assert draw(table, ends).tolist() == [-500, -500, 2500, 10500]


def test_as_many_values_as_a_table_has_cells_can_have_weights() -> None:
    values = [float(n) for n in range(CELLS)]
    law = Empirical(distribution="empirical", values=values, weights=[1.0] * CELLS)
    middles = (np.arange(CELLS, dtype=np.uint64) << np.uint64(20)).astype(np.uint32)
    assert draw(quantile_table(law, 1), middles).tolist() == list(range(CELLS))


def test_the_tail_of_an_exponential_is_right_to_one_in_a_hundred() -> None:
    # The worst place is between the quantiles at 1 - 2 / 4096 and 1 - 1 / 4096, where a straight
    # line is 0.06 means from the logarithm: 0.7 % of 7.9 means. Beyond, the finer row takes over.
    table = quantile_table(
        Exponential.model_validate({"distribution": "exponential", "mean": 5.0}), 10**6
    )
    left = np.geomspace(1e-6, 0.9, 2000)  # 1 - p
    at = np.rint((1 - left) * 2**32).astype(np.uint32)
    exact = -5.0 * np.log1p(-at.astype(np.float64) / 2**32)
    assert draw(table, at) / 10**6 == pytest.approx(exact, rel=0.01)


def test_an_infinite_upper_end_is_cut_at_a_finite_quantile() -> None:
    table = quantile_table(
        Exponential.model_validate({"distribution": "exponential", "mean": 1.0}), 10**6
    )
    # The largest value is the quantile at 1 - 2^-26: 26 ln 2.
    assert table.shape == (2, CELLS + 1)
    assert table[0, -1] == table[1, -1] == round(26 * math.log(2) * 10**6)


def test_tables_never_decrease() -> None:
    table = quantile_table(
        Lognormal.model_validate({"distribution": "lognormal", "mean": 4.0, "cv": 3.0}), 10**6
    )
    assert (np.diff(table, axis=1) >= 0).all()
    assert table[0, CELLS - 1] == table[1, 0]  # the top cell begins where the others end


def test_the_extreme_words_draw_the_ends_of_the_distribution() -> None:
    table = quantile_table(Uniform(distribution="uniform", low=2.0, high=4.0), 1000)
    assert draw(table, np.array([0, 2**32 - 1], dtype=np.uint32)).tolist() == [2000, 4000]


# Choices --------------------------------------------------------------------------------------


def test_probability_0_never_and_probability_1_always_happens() -> None:
    extremes = np.array([0, 2**32 - 1], dtype=np.uint32)
    assert not (extremes < np.uint64(threshold(0.0))).any()
    assert (extremes < np.uint64(threshold(1.0))).all()
    assert threshold(0.5) == 2**31


def picked(ends: np.ndarray, words: np.ndarray) -> list[int]:
    starts = interval_starts(ends)
    return [interval(ends, starts, word) for word in words]


def test_a_pick_falls_in_each_interval_with_its_weight() -> None:
    ends = cumulative_thresholds([1, 0, 3])
    assert ends.tolist() == [2**30, 2**30, 2**32]
    edges = np.array([0, 2**30 - 1, 2**30, 2**32 - 1], dtype=np.uint32)
    assert picked(ends, edges) == [0, 0, 2, 2]  # weight 0 is never picked


def test_picks_have_the_shares_of_the_weights() -> None:
    counts = np.bincount(picked(cumulative_thresholds([0.5, 0.3, 0.2]), words()), minlength=3)
    assert stats.chisquare(counts, N * np.array([0.5, 0.3, 0.2])).pvalue > 1e-4
