"""The cases of `vaxsim validate`: scenario files that reduce to queues, and their exact values.

Cases named r1 ... r10 have the values of the published set of reference cases R1 to R10; the others
are computed here, by `sim.queueing_theory` or in a line. The files tell how a textbook's unit of
time becomes minutes: CALL minutes pass between two calls (or patients) of a day with 200,000.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sim.experiment.validation import Case, Quantity, Tables
from sim.experiment.validation_bookings import booking_cases
from sim.experiment.validation_campaigns import campaign_cases
from sim.experiment.validation_quantities import (
    CALL,
    Measure,
    abandons,
    attempts_an_hour,
    blocked,
    centre,
    clinics,
    exponential,
    in_time,
    occupancy,
    of_target,
    per_person,
    service,
    station_wait,
    summary,
    telephone,
    wait,
    waits,
)
from sim.experiment.validation_rules import rule_cases
from sim.queueing_theory import (
    erlang_b,
    erlang_c,
    fixed_patience_queue,
    infinite_server_mean,
    markovian_queue,
    mean_wait_from_empty,
    overlapping_pools_loss,
    redial_chain,
    served_within,
    single_server_mean_wait,
    tandem,
    wrap_up_chain,
)
from sim.scenario import clock

# The published reference cases ------------------------------------------------------------------


def _reference_cases() -> Iterator[Case]:
    second = 0.072 / 180
    yield Case(
        "r1", "M/M/14, 10 erlangs (Erlang C)", "R1", "erlang_c.toml", 280,
        (
            waits(0.1741319),
            in_time(0.88835, "served within 20 s"),
            wait(7.835937, second, "s"),
            occupancy(0.7142857),
        ),
    )  # fmt: skip
    for agents, load, exact in (
        (30, 25, 0.0526031722),
        (10, 5, 0.0183845703),
        (20, 12, 0.0097956394),
    ):
        yield Case(
            f"r2_{agents}", f"M/M/{agents}/{agents}, {load} erlangs (Erlang B)", "R2",
            "erlang_b.toml", 32, (blocked(exact),),
            (*centre(load, agents), f"call_centre.lines={agents}"),
        )  # fmt: skip
    call, calls = 48 * CALL / 5, 1_000_000
    yield Case(
        "r3", "M/M/50, 48 erlangs", "R3", "erlang_c.toml", 440,
        (waits(0.694456), wait(20.8337, call / 60, "s"), occupancy(0.96)),
        centre(48, 50, calls=calls),
    )  # fmt: skip
    call = 48 * CALL
    yield Case(
        "r3_abandon", "M/M/50+M, 48 erlangs, patience 2", "R3", "erlang_a.toml", 200,
        (
            abandons(0.0309122),
            waits(0.467774),
            wait(3.70947, call / 60, "s"),
            occupancy(0.930324),
        ),
        centre(48, 50, exponential(2 * call)),
    )  # fmt: skip
    for load, exact in ((90, 0.00833192), (100, 0.03986100), (110, 0.09919156), (120, 0.16769296)):
        yield Case(
            f"r4_{load}", f"M/M/100+M, {load} erlangs, patience 1 (Erlang A)", "R4",
            "erlang_a.toml", {90: 600, 100: 190}.get(load, 90),
            (abandons(exact), wait(exact, load * CALL, "mean calls")),
            centre(load, 100, exponential(load * CALL)),
        )  # fmt: skip
    for agents, load, patience, calls, replications, (left, waited, mean) in (
        (3, 2, 1, 200_000, 30, (0.06116806, 0.37647994, 0.19297577)),
        (50, 48, 2, 1_000_000, 250, (0.00051507, 0.69067860, 0.32035864)),
    ):
        call = load * 1440 / calls
        yield Case(
            f"r5_{agents}", f"M/M/{agents}+D, {load} erlangs, patience exactly {patience}", "R5",
            "fixed_patience.toml", replications,
            (abandons(left), waits(waited), wait(mean, call, "mean calls")),
            centre(load, agents, repr(patience * call), calls),
        )  # fmt: skip
    unit = CALL / 100
    for cv, exact in ((0.5, 200.0), (1.0, 320.0), (1.5, 520.0)):
        yield Case(
            f"r6_{cv:g}".replace(".", "_"), f"M/G/1, load 0.8, cv of service {cv:g}", "R6",
            "unit.toml", 140,
            (station_wait(exact, unit, "1/100 of 1/arrivals"),),
            (service(f"{{distribution='gamma', mean={80 * unit!r}, cv={cv}}}"),),
        )  # fmt: skip
    yield Case(
        "r7", "M/M/2, then M/M/3 (Burke)", "R7", "tandem.toml", 140,
        (
            station_wait(3.787879, CALL, "1/arrivals", "registration"),
            station_wait(3.511236, CALL, "1/arrivals"),
            summary("mean time in both (1/arrivals)", "mean_minutes_in_unit", 11.465781, CALL),
        ),
    )  # fmt: skip
    yield Case(
        "r8", "M/M/10+M, 12 erlangs, half redial after 5 mean calls", "R8", "redials.toml", 24,
        (
            attempts_an_hour(14.229364, 12 * CALL),
            abandons(0.313347),
            occupancy(0.977064),
            per_person("lost for good", "persons_gave_up", 0.185780, True),
        ),
    )  # fmt: skip
    # The published 3.737, by simulation, is another mean: of the sessions' means (a session of few
    # patients counts as much as one of many), over those only whose service began in time. The
    # tables hold sums over a session, which cannot tell who those are.
    yield Case(
        "r9", "M/M/3 from empty, 500 time units", "R9; forward equations", "from_empty.toml", 110,
        (
            Quantity(
                "mean wait of arrivals (1/rate)",
                mean_wait_from_empty(0.2, 0.1, 3, 500),
                # expected waits / expected arrivals: 100 patients a session
                lambda tables: tables["stations"]["wait"].to_numpy() / 100,
            ),
        ),
        clinics(20),
    )  # fmt: skip
    for booked, exact in ((20, 2.000), (50, 4.755), (100, 4.493), (500, 4.500)):
        yield Case(
            f"r10_{booked}", f"ten-dose vials, {booked} booked, each comes with 0.9", "R10",
            "vials.toml", 64,
            (Quantity("doses wasted a session", exact, _wasted),),
            (
                *clinics(20),
                f"groups.people.people={1000 * booked}",
                f"unit_types.clinic.slots_per_day={booked}",
            ),
        )  # fmt: skip


def _wasted(tables: Tables) -> NDArray[np.float64]:
    """Doses left in the last vial, of every session."""
    stock = tables["stock"]
    rows = stock[(stock["place"] != "province_store") & (stock["date"] > stock["date"].min())]
    return np.asarray(rows["wasted"], dtype=np.float64)


# Further queues of the call centre ---------------------------------------------------------------


def _telephone_cases() -> Iterator[Case]:
    call = 12 * CALL
    finite = markovian_queue(12, 1, 10, waiting_places=5, abandonment_rate=0.5)
    level = served_within(0.2, 12, 1, 10, waiting_places=5, abandonment_rate=0.5)
    yield Case(
        "finite_lines", "M/M/10/15+M, 12 erlangs, patience 2", "birth-death chain",
        "finite_lines.toml", 36,
        (blocked(finite.blocked), in_time(level, "served within 0.2 mean calls"),
         *telephone(finite, call)),
    )  # fmt: skip
    after = wrap_up_chain(8, 1, 1 / 0.4, 10, waiting_places=3, abandonment_rate=0.5)
    yield Case(
        "wrap_up", "M/M/10/13+M, 8 erlangs of talk, after-call work of 0.4 calls without a line",
        "chain in two dimensions", "wrap_up.toml", 40,
        (blocked(after.blocked), *telephone(after, 8 * CALL)),
    )  # fmt: skip
    endless = markovian_queue(9, 1, 10, waiting_places=8)
    yield Case(
        "finite_queue", "M/M/10/18, 9 erlangs, nobody gives up", "birth-death chain",
        "finite_lines.toml", 40,
        (blocked(endless.blocked), waits(endless.waits),
         wait(endless.mean_wait, 9 * CALL, "mean calls"), occupancy(endless.occupancy)),
        (*centre(9, 10, "10000.0"), "call_centre.lines=18"),
    )  # fmt: skip
    lasting = 25 * CALL
    for name, length in (
        ("constant", repr(lasting)),
        ("lognormal", f"{{distribution='lognormal', mean={lasting!r}, cv=1.5}}"),
        ("Weibull", f"{{distribution='weibull', mean={lasting!r}, shape=2.0}}"),
    ):
        yield Case(
            f"insensitive_{name.lower()}",
            f"M/G/30/30, 25 erlangs, {name} calls", "Erlang B holds for any service",
            "erlang_b.toml", 32,
            (blocked(erlang_b(25, 30)), per_person("attempts per person", "calls_offered", 1.0)),
            (f"call_centre.booking_call_minutes={length}",),
        )  # fmt: skip
    erlang_a = markovian_queue(48, 1, 50, abandonment_rate=0.5)
    yield Case(
        "service_level", "M/M/50+M, 48 erlangs, patience 2", "Erlang A (Palm)", "erlang_a.toml", 80,
        (in_time(served_within(1 / 6, 48, 1, 50, abandonment_rate=0.5),
                 "served within 1/6 mean call"),
         waits(erlang_a.waits)),
        (*centre(48, 50, exponential(2 * 48 * CALL)),
         f"call_centre.answer_target_seconds={48 * CALL * 10!r}"),
    )  # fmt: skip
    busy = redial_chain(8, 1, 10, redials=0.5, mean_delay=5, waiting_places=0)
    yield Case(
        "busy_redials", "M/M/10/10, 8 erlangs, half redial after 5 mean calls",
        "chain in two dimensions", "redials.toml", 32,
        (attempts_an_hour(busy.attempts, 8 * CALL), blocked(busy.queue.blocked),
         occupancy(busy.queue.occupancy),
         per_person("lost for good", "persons_gave_up", busy.given_up, True)),
        (*centre(8, 10), "call_centre.lines=10",  # who gave up would redial sooner; nobody does
         f"call_centre.redial_after_busy_delay_minutes={exponential(5 * 8 * CALL)}"),
    )  # fmt: skip
    persistent = redial_chain(4, 1, 5, redials=1, mean_delay=2, waiting_places=0)
    yield Case(
        "persistent", "M/M/5/5, 4 erlangs, all redial after 2 mean calls until they get through",
        "chain in two dimensions (Falin and Templeton)", "redials.toml", 30,
        (attempts_an_hour(persistent.attempts, 4 * CALL), blocked(persistent.queue.blocked),
         occupancy(persistent.queue.occupancy)),
        (*centre(4, 5), "call_centre.lines=5", "call_centre.redial_after_busy_probability=1.0",
         f"call_centre.redial_after_busy_delay_minutes={exponential(2 * 4 * CALL)}"),
    )  # fmt: skip
    apart = redial_chain(
        12, 1, 10, redials=0.3, redials_when_blocked=0.7, mean_delay=5, waiting_places=5,
        abandonment_rate=0.5,
    )  # fmt: skip
    yield Case(
        "redials_apart",
        "M/M/10/15+M, 12 erlangs: 0.3 redial who gave up waiting, 0.7 who heard the busy signal",
        "chain in two dimensions", "redials_apart.toml", 44,
        (attempts_an_hour(apart.attempts, call), blocked(apart.queue.blocked),
         abandons(apart.queue.abandons),
         per_person("lost for good", "persons_gave_up", apart.given_up, True)),
    )  # fmt: skip
    yield Case(
        "reconnects", "M/M/10, 6 erlangs fresh, a quarter call again after 5 mean calls",
        "Jackson: Erlang C at 6 / (1 - 1/4)", "reconnects.toml", 150,
        (waits(erlang_c(8, 10)), occupancy(0.8),
         per_person("attempts per person", "calls_offered", 1 / (1 - 0.25))),
    )  # fmt: skip
    # Busy agents finish 100 calls a unit of time; x give up: 100 + x = 100 + x / 2 + 100 / 5.
    yield Case(
        "reconnects_fluid",
        "overloaded: 100 agents, 100 erlangs fresh, half redial, a fifth call again",
        "fluid limit (Ding, van der Mei and Koole)", "reconnects.toml", 40,
        (abandons(40 / 140), wait(40 / 140, 100 * CALL, "mean calls"),
         attempts_an_hour(140.0, 100 * CALL)),
        (*centre(100, 100, exponential(100 * CALL)), "call_centre.redial_probability=0.5",
         "call_centre.reconnect_probability=0.2",
         f"call_centre.redial_delay_minutes={exponential(500 * CALL)}",
         f"call_centre.reconnect_delay_minutes={exponential(500 * CALL)}"),
    )  # fmt: skip
    # Who is to call again waits (on average 60 minutes) in an infinite-server queue with feedback:
    # its mean grows to 1 - exp(-1/2) per caller while fresh calls come, an hour long; each of these
    # makes 1 / (1 - 1/2) further calls, and each caller as many in all.
    for name, again in (
        (
            "reconnect",
            (
                "call_centre.pools.desk.agents=100_000",
                "call_centre.redial_probability=0",
                "call_centre.reconnect_probability=0.5",
            ),
        ),
        ("redial", ("call_centre.pools.desk.agents=0", "call_centre.redial_probability=0.5")),
    ):
        yield Case(
            f"{name}_times", f"calls of one hour, half {name} after 60 minutes (exponential)",
            "number in an infinite-server queue with feedback", "hopeless.toml", 30,
            (Quantity("attempts after that hour, of all", -math.expm1(-0.5), _after_first_hour),),
            (*again, "call_centre.attempts_in_all=1000", "groups.people.people=40_000",
             f"call_centre.{name}_delay_minutes={exponential(60)}",
             f"call_centre.call_times={[1.0] + [0.0] * 23}"),
        )  # fmt: skip
    yield Case(
        "inquiries",
        "M/G/30/30, 10 erlangs of bookings, 15 of inquiries, after-call work by 100 agents",
        "Erlang B holds for any service", "erlang_b.toml", 32,
        (blocked(erlang_b(25, 30)), occupancy((25 + 2 + 4) * (1 - erlang_b(25, 30)) / 100)),
        ("call_centre.inquiries_per_person=0.5", "call_centre.pools.desk.agents=100",
         f"call_centre.booking_call_minutes={exponential(10 * CALL)}",
         f"call_centre.inquiry_call_minutes={30 * CALL!r}",
         f"call_centre.booking_wrap_up_minutes={2 * CALL!r}",
         f"call_centre.inquiry_wrap_up_minutes={exponential(8 * CALL)}"),
    )  # fmt: skip
    # 8 hours of the day are open: those who call before them call again within them.
    yield Case(
        "cut_off", "nobody answers, patience exponential, all who wait at closing are cut off",
        "M/M/infinity from empty", "cut_off.toml", 60,
        (Quantity("cut off, of those calling", 60 / 480 * -math.expm1(-480 / 60), _cut_off),
         Quantity("heard that it is closed, of all", 2 / 3, _of_first_calls("calls_outside_hours")),
         Quantity("called within hours, of all", 2 / 3, _of_first_calls("attempts"))),
    )  # fmt: skip
    yield Case(
        "served_at_closing", "an hour's calls for days of work: all are answered after closing",
        "by hand", "cut_off.toml", 2,
        (summary("answered, of all", "answered_share", 1.0),),
        ("call_centre.at_closing='serve'", "call_centre.pools.desk.agents=1",
         "call_centre.patience_minutes=1e6"),
    )  # fmt: skip
    yield Case(
        "hopeless", "up to 4 attempts, redialled with 0.6, none answered", "geometric series",
        "hopeless.toml", 20,
        (per_person("attempts per person", "calls_offered", (1 - 0.6**4) / (1 - 0.6)),
         per_person("gave up for good", "persons_gave_up", 1.0, True)),
    )  # fmt: skip
    thai, burmese = (markovian_queue(load, 1, agents, abandonment_rate=1)
                     for load, agents in ((8, 9), (4, 3)))  # fmt: skip
    yield Case(
        "languages_apart", "two languages apart: M/M/9+M and M/M/3+M", "Erlang A for each",
        "languages_apart.toml", 50,
        (abandons(thai.abandons, "thai"), wait(thai.mean_wait, call, "mean calls", "thai"),
         abandons(burmese.abandons, "burmese"),
         wait(burmese.mean_wait, call, "mean calls", "burmese")),
    )  # fmt: skip
    slow = markovian_queue(4, 1, 3, abandonment_rate=0.5)
    yield Case(
        "languages_own_times",
        "two languages, Burmese calls twice as long, patience 2: M/M/9+M and M/M/3+M",
        "Erlang A for each",
        "languages_own_times.toml", 60,
        (abandons(thai.abandons, "thai"), wait(thai.mean_wait, call, "mean calls", "thai"),
         abandons(slow.abandons, "burmese"),
         wait(slow.mean_wait, 2 * call, "mean calls", "burmese")),
    )  # fmt: skip
    shared = markovian_queue(12, 1, 12, abandonment_rate=1)
    yield Case(
        "languages_together", "two languages, all agents speak both: M/M/12+M",
        "Erlang A for both together", "languages_together.toml", 48,
        (abandons(shared.abandons, "thai"), abandons(shared.abandons, "burmese"),
         occupancy(shared.occupancy)),
    )  # fmt: skip
    for name, choice, words in (
        ("languages_overlap", "fewest_languages", "those with one first"),
        ("random_agents", "random", "any free one"),
    ):
        lost = overlapping_pools_loss(8, 4, 1, 6, 6, random=choice == "random")
        yield Case(
            name,
            f"6 agents speak Thai, 6 both languages, {words}; 8 and 4 erlangs, nobody waits",
            "chain in two dimensions", "languages_apart.toml", 60,
            tuple(map(abandons, lost, ("thai", "burmese"))),
            ("call_centre.patience_minutes=0.0", f"call_centre.agent_choice='{choice}'",
             "call_centre.pools.desk.agents=6", "call_centre.pools.migrants.agents=6",
             "call_centre.pools.migrants.languages=['thai', 'burmese']"),
        )  # fmt: skip
    yield Case(
        "hours", "M(t)/M/c(t): load and agents by time of day", "Erlang C hour by hour",
        "hours.toml", 300,
        tuple(
            waits(erlang_c(load, agents), hours, f"P(wait), {load} erlangs, {agents} agents")
            for load, agents, hours in (
                (8, 12, range(1, 6)), (9, 12, range(7, 12)),
                (10, 12, range(13, 18)), (6, 8, range(19, 24)),
            )
        ),
    )  # fmt: skip
    yield Case(
        "evening", "M(t)/G/infinity: calls by time of day, no queue",
        "number in service (Eick, Massey and Whitt)", "evening.toml", 80,
        (Quantity("share of the work after closing", _work_after_closing(), _overtime, True),),
    )  # fmt: skip


def _after_first_hour(tables: Tables) -> float:
    offered = tables["call_centre"].groupby("hour")["offered"].sum()
    return float(offered[offered.index > 0].sum() / offered.sum())


def _cut_off(tables: Tables) -> float:
    sums = tables["call_centre"][["offered", "cut_off"]].sum()
    return float(sums["cut_off"] / sums["offered"])


def _of_first_calls(column: str) -> Measure:
    """A sum of the table `callers`, divided by the people calling."""

    def ratio(tables: Tables) -> float:
        sums = tables["callers"][[column, "first_calls"]].sum()
        return float(sums[column] / sums["first_calls"])

    return ratio


def _overtime(tables: Tables) -> float:
    sums = tables["agents"][["busy", "overtime"]].sum()
    return float(sums["overtime"] / (sums["busy"] + sums["overtime"]))


@cache
def _work_after_closing() -> float:
    """From the mean number of agents at work, minute by minute from 8 o'clock on."""
    from scipy.special import ndtr

    weights = np.array([1.0, 2, 4, 8, 8, 6, 10, 12])
    day, after, step = 480, 2880, 1.0
    rates = np.concatenate([np.repeat(weights / weights.sum() / 60, 60), np.zeros(after)])
    spread = math.sqrt(math.log1p(0.8**2))
    location = math.log(40.0) - spread**2 / 2
    at_work = infinite_server_mean(rates, step, lambda t: ndtr((location - np.log(t)) / spread))
    within = (at_work[: day - 1].sum() + at_work[day - 1] / 2) * step  # it begins with 0
    return float(1 - within / 40.0)


# Further queues of the units --------------------------------------------------------------------


def _unit_cases() -> Iterator[Case]:
    yield from _services()
    patience = {"mean": "exponential", "exact": "fixed"}
    impatient = markovian_queue(5, 1, 5, abandonment_rate=0.5)
    fixed = fixed_patience_queue(5, 1, 5, 2)
    for queue, letter, kind, tolerance in (
        (impatient, "M", patience["mean"], exponential(10 * CALL)),
        (fixed, "D", patience["exact"], repr(10 * CALL)),
    ):
        yield Case(
            f"impatient_{kind}", f"M/M/5+{letter} at a station, 5 erlangs, patience 2",
            "Erlang A" if letter == "M" else "Baccelli and Hebuterne",
            "impatient.toml", 52,
            (Quantity("left waiting", queue.abandons, _left, True),
             station_wait(queue.mean_wait, 5 * CALL, "mean services")),
            (f"appointments.waiting_tolerance_minutes={tolerance}",),
        )  # fmt: skip
    first, third = (tandem(1.0, [(1 / s, c)])[0] for s, c in ((1.4, 2), (2.1, 3)))
    second = tandem(0.4, [(1 / 1.75, 1)])[0]
    time = (
        first.mean_wait + 1.4 + third.mean_wait + 2.1 + 0.4 * (second.mean_wait + 1.75)
        + (0.5 + 0.4 * 1.0 + 2.0) / CALL
    )  # fmt: skip
    yield Case(
        "network", "three stations, two fifths visit the second, walks between", "Jackson",
        "network.toml", 100,
        (
            station_wait(first.mean_wait, CALL, "1/arrivals", "registration"),
            station_wait(second.mean_wait, CALL, "1/arrivals", "screening"),
            station_wait(third.mean_wait, CALL, "1/arrivals"),
            summary("mean time inside (min)", "mean_minutes_in_unit", time * CALL),
        ),
    )  # fmt: skip
    yield Case(
        "walks", "the same, each walk exponential with the same mean",
        "Jackson: walks change no queue", "network.toml", 160,
        (
            station_wait(second.mean_wait, CALL, "1/arrivals", "screening"),
            station_wait(third.mean_wait, CALL, "1/arrivals"),
            summary("mean time inside (min)", "mean_minutes_in_unit", time * CALL),
        ),
        tuple(
            f"unit_types.clinic.stations.{station}.walk_minutes={exponential(mean)}"
            for station, mean in (("registration", 0.5), ("screening", 1.0), ("vaccination", 2.0))
        ),
    )  # fmt: skip
    yield Case(
        "walk_in_hours", "M(t)/M/infinity from empty: walk-ins by hour of the day",
        "number in service (Eick, Massey and Whitt)", "walk_in_hours.toml", 2,
        tuple(
            Quantity(
                f"mean number in service at {clock(60 * hour)}",
                _in_service_by(hour),
                _seen("in_service", 60 * hour, 60 * hour + 1),
            )
            for hour in (10, 12, 14, 16)
        ),
        clinics(700),
    )  # fmt: skip
    yield Case(
        "little", "M/M/3, 1.8 erlangs: patients counted every 5 minutes", "Little's law",
        "little.toml", 2,
        (Quantity("mean number in service", 1.8, _seen("in_service", 60, 1440)),),
        clinics(180),
    )  # fmt: skip
    yield Case(
        "observation", "M/G/infinity from empty: seats, counted from the jab",
        "number in service (Eick, Massey and Whitt)", "observation.toml", 2,
        tuple(
            Quantity(
                f"mean number seated at {clock(480 + minute)}",
                _seated(minute),
                _seen("in_service", 480 + minute, 481 + minute, "observation"),
            )
            for minute in (20, 40, 100, 140)
        ),
        clinics(800),
    )  # fmt: skip
    yield Case(
        "blocks", "D/D/1: six patients every hour, 10 minutes each", "by hand: (0+10+...+50)/6",
        "blocks.toml", 2,
        (
            station_wait(25.0, 1.0, "min"),
            summary("longest queue", "station_vaccination_max_queue", 5.0),
            summary("mean time inside (min)", "mean_minutes_in_unit", 35.0),
            summary("last exit after closing (min)", "latest_exit_minutes", 0.0),
        ),
    )  # fmt: skip
    yield Case(
        "one_by_one", "D/D/1: a patient every 10 minutes, 12 minutes each",
        "by hand: the k-th waits 2 k minutes", "blocks.toml", 2,
        (
            station_wait(47.0, 1.0, "min"),
            summary("last exit after closing (min)", "latest_exit_minutes", 96.0),
        ),
        ("appointments.block_minutes=0", service("12.0")),
    )  # fmt: skip
    # The k-th comes at 10 k and would start at 12 k; only starts before 510 are in time.
    yield Case(
        "late", "the same, no service may start from half an hour after closing on",
        "by hand: 12 k < 510", "blocks.toml", 2,
        (summary("vaccinated", "first_doses_by_end", 43.0),
         summary("not served in time", "turned_away_late", 5.0)),
        ("appointments.block_minutes=0", service("12.0"),
         "unit_types.clinic.stations.vaccination.overtime_minutes=30.0"),
    )  # fmt: skip
    yield Case(
        "adverse", "15 minutes in a seat after the jab, one patient in four 20 minutes longer",
        "by hand: 5 + 15 + 20 / 4", "observation.toml", 24,
        (summary("mean time inside (min)", "mean_minutes_in_unit", 25.0),),
        ("groups.people.people=20_000", "unit_types.clinic.stations.observation.minutes=15.0",
         "unit_types.clinic.stations.observation.adverse_event_probability=0.25",
         "unit_types.clinic.stations.observation.adverse_event_minutes=20.0"),
    )  # fmt: skip
    yield Case(
        "punctuality", "who comes before opening waits: uniform from -30 to 10 min",
        "E[max(0, -X)] = 11.25", "punctuality.toml", 4,
        (station_wait(11.25, 1.0, "min"),),
    )  # fmt: skip
    yield Case(
        "no_shows", "appointments missed with 0.15, half of them booked again",
        "binomial and geometric", "no_shows.toml", 20,
        (
            Quantity("appointments missed", 0.15,
                     lambda t: float(t["replications"]["no_show_share"].iloc[0]), True),
            of_target("appointments per person", "appointments", 1 / (1 - 0.15 * 0.5)),
            of_target("vaccinated", "first_doses_by_end", 0.85 / (1 - 0.15 * 0.5)),
        ),
    )  # fmt: skip
    yield Case(
        "both", "50 appointments kept with 0.8, and Poisson walk-ins of mean 30", "sum of means",
        "both.toml", 8,
        (
            Quantity("patients a session", 70.0,
                     lambda t: t["sessions"]["patients"].to_numpy(dtype=np.float64)),
            Quantity("walk-ins, of all", 3 / 7, _walk_ins, True),
        ),
        clinics(20),
    )  # fmt: skip
    came = np.arange(10)
    used = [math.exp(-9) * 9.0**k / math.factorial(k) for k in came]
    yield Case(
        "open_vials", "vials of ten that live as long as 9 Poisson patients take",
        "E[max(0, 9 - N)] / 10", "open_vials.toml", 26,
        (Quantity("doses wasted, of those opened", float((9 - came) @ used) / 10,
                  lambda t: _of_opened(t), True),),
    )  # fmt: skip
    yield Case(
        "deliveries", "100 deliveries, delay normal (6, 2) days, 80 to 100 % come, 5 % are lost",
        "means", "deliveries.toml", 120,
        (
            Quantity("mean day of arrival", _mean_delay(), _arrival_day),
            summary("share that arrives", "doses_delivered", 0.9, 100 * 100_000),
            Quantity("lost in storage, of what arrived", 0.05,
                     lambda t: float((t["replications"]["doses_lost_in_storage"]
                                      / t["replications"]["doses_delivered"]).iloc[0]), True),
        ),
        tuple(
            f"deliveries.more_{i}={{vaccine='vaccine', arrives=2021-06-01, doses=100000, "
            "delay_days={distribution='normal', mean=6.0, sd=2.0}, "
            "fraction_delivered={distribution='uniform', low=0.8, high=1.0}}"
            for i in range(1, 100)
        ),
    )  # fmt: skip


def _services() -> Iterator[Case]:
    """M/G/1 with every distribution: its mean and coefficient of variation decide the wait."""
    s = CALL / 2  # load 1/2
    # of a normal distribution cut off at zero
    z = -1 / 0.8
    density, above = math.exp(-z * z / 2) / math.sqrt(2 * math.pi), math.erfc(z / math.sqrt(2)) / 2
    hazard = density / above
    mean = 1 + 0.8 * hazard
    normal_cv = 0.8 * math.sqrt(1 + z * hazard - hazard**2) / mean
    for name, distribution, cv in (
        ("constant", repr(s), 0.0),
        ("uniform", f"{{distribution='uniform', low=0.0, high={2 * s!r}}}", 1 / math.sqrt(3)),
        ("exponential", exponential(s), 1.0),
        ("triangular",
         f"{{distribution='triangular', low=0.0, mode={0.3 * s!r}, high={2.7 * s!r}}}",
         math.sqrt((0.3**2 + 2.7**2 - 0.3 * 2.7) / 18)),
        ("normal truncated at zero",
         f"{{distribution='normal', mean={s / mean!r}, sd={0.8 * s / mean!r}}}", normal_cv),
        ("lognormal", f"{{distribution='lognormal', mean={s!r}, cv=0.8}}", 0.8),
        ("gamma", f"{{distribution='gamma', mean={s!r}, cv=0.7}}", 0.7),
        ("Weibull", f"{{distribution='weibull', mean={s!r}, shape=0.8}}",
         math.sqrt(math.gamma(1 + 2 / 0.8) / math.gamma(1 + 1 / 0.8) ** 2 - 1)),
        ("shifted exponential",
         f"{{distribution='exponential', mean={0.6 * s!r}, shift={0.4 * s!r}}}", 0.6),
        # observed 0, 1, 1 and 3 halves: pieces 0-1, 1-1, 1-3, with mean 7/6 and second moment 17/9
        ("empirical",
         f"{{distribution='empirical', values=[{3 * s!r}, 0.0, {s!r}, {s!r}], shift=0.0}}", None),
        # 1/2 three times as often as 5/2, and nothing between: mean 1, second moment 7/4
        ("weighted empirical",
         f"{{distribution='empirical', values=[{0.5 * s!r}, {2.5 * s!r}], weights=[3.0, 1.0]}}",
         math.sqrt(0.75)),
    ):  # fmt: skip
        mean = 1.0 if cv is not None else (0.5 + 1.0 + 2.0) / 3
        square = 1 + cv**2 if cv is not None else (1 / 3 + 1.0 + 13 / 3) / 3
        exact = single_server_mean_wait(0.5, mean, math.sqrt(square / mean**2 - 1))
        yield Case(
            f"service_{name.split()[0].lower()}", f"M/G/1, {name} services",
            "Pollaczek and Khinchine", "unit.toml", 40,
            (station_wait(exact, s, "2/arrivals"),),
            (service(distribution),),
        )  # fmt: skip


def _left(tables: Tables) -> float:
    """Share of the patients who left the queue."""
    daily = tables["daily"]
    return float(daily["left"].sum() / (daily["walk_ins"].sum() + daily["appointments"].sum()))


def _seen(column: str, first: int, end: int, station: str = "vaccination") -> Measure:
    """Mean of a column of `unit_day` from one minute to another, at each unit.

    The table holds the first replication only.
    """

    def by_unit(tables: Tables) -> NDArray[np.float64]:
        rows = tables["unit_day"]
        rows = rows[(rows["station"] == station) & rows["minute"].between(first, end - 1)]
        return rows.groupby("unit")[column].mean().to_numpy(dtype=np.float64)

    return by_unit


def _seated(minute: int) -> float:
    """Mean number in observation so many minutes after opening, of 10 arrivals a minute for 120.

    Who comes at a has the jab at a + 5, and is seated from a + 7 until S after the jab.
    """
    from scipy.special import gammaincc

    step = 0.25
    ends = np.arange(step, minute + step / 2, step)
    jabs = np.where((ends > 5) & (ends <= 125), 10.0, 0.0)
    seated = infinite_server_mean(
        jabs, step, lambda t: np.where(t >= 2, gammaincc(4.0, t * 4.0 / 30.0), 0.0)
    )
    return float(seated[-1])


def _in_service_by(hour: int) -> float:
    """Mean number in service at a full hour, of walk-ins from 8 to 16 who stay 30 minutes."""
    weights = np.array([1.0, 3, 5, 3, 0, 2, 4, 2])
    rates = np.repeat(3000 * weights / weights.sum() / 60, 60)
    return float(infinite_server_mean(rates, 1.0, lambda t: np.exp(-t / 30))[60 * (hour - 8) - 1])


def _walk_ins(tables: Tables) -> float:
    daily = tables["daily"]
    came = daily["appointments"].sum() - daily["no_shows"].sum()
    return float(daily["walk_ins"].sum() / (daily["walk_ins"].sum() + came))


def _of_opened(tables: Tables) -> float:
    stock = tables["stock"]
    wasted, given = stock["wasted"].sum(), stock["administered"].sum()
    return float(wasted / (wasted + given))


def _arrival_day(tables: Tables) -> float:
    """Mean day of arrival of the doses that come."""
    stock = tables["stock"]
    days = (stock["date"] - stock["date"].min()).dt.days
    return float((days * stock["delivered"]).sum() / stock["delivered"].sum())


def _mean_delay() -> float:
    """Mean of a normal (6, 2) delay, cut off at zero and rounded to whole days."""
    from scipy.special import ndtr

    days = np.arange(1, 40)
    at_least = 1 - ndtr((days - 0.5 - 6.0) / 2.0)
    return float(at_least.sum() / (1 - ndtr(-6.0 / 2.0)))


def all_cases() -> list[Case]:
    """All cases, the published ones first."""
    return [
        *_reference_cases(),
        *_telephone_cases(),
        *_unit_cases(),
        *rule_cases(),
        *campaign_cases(),
        *booking_cases(),
    ]
