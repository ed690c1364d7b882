"""Queues that have a formula: to verify the simulation with, and for first guesses of staffing.

Rates are per unit of time, in any unit: times come back in the same one. `load` is the offered
load in erlangs, arrival rate / service rate. Arrivals are Poisson and the service order is first
come first served throughout. Every function names the source of its formula.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-14
"""Probability left out where a chain without end is cut off."""


@dataclass(frozen=True)
class Queue:
    """What a queue does in the long run. Shares are of all who arrive, unless said otherwise."""

    blocked: float
    """share that finds all waiting places taken"""
    waits: float
    """share of those let in that is not served at once"""
    abandons: float
    """share that is let in and leaves unserved"""
    mean_wait: float
    """time in the queue of those let in, whether they are served or leave"""
    mean_queue: float
    """number waiting, over time"""
    occupancy: float
    """share of the servers' time spent serving"""

    @property
    def lost(self) -> float:
        """Share of arrivals that is not served."""
        return self.blocked + self.abandons


# ------------------------------------------------------------------------------- Erlang B, C, A


def erlang_b(load: float, servers: float) -> float:
    """Probability that all servers are busy, M/G/c/c (Erlang, 1917); `servers` may be fractional.

    From 1/B(c) = 1 + (c/load)/B(c - 1), which is stable. A fractional number of servers starts it
    at its fractional part x with 1/B(x) = load * integral over t > 0 of exp(-load t) (1 + t)^x
    (Jagerman, *Bell System Technical Journal* 53, 1974).
    """
    _at_least_zero(load=load, servers=servers)
    if load == 0:
        return 0.0 if servers > 0 else 1.0
    whole = math.floor(servers)
    fraction = servers - whole
    inverse = 1.0
    if fraction:
        from scipy.integrate import quad

        # with u = load * t
        inverse = float(quad(lambda u: math.exp(-u) * (1 + u / load) ** fraction, 0, math.inf)[0])
    for number in range(1, whole + 1):
        inverse = 1 + (number + fraction) / load * inverse
        if math.isinf(inverse):
            return 0.0
    return 1 / inverse


def erlang_c(load: float, servers: float) -> float:
    """Probability of waiting in M/M/c (Erlang, 1917): B / (1 - load/servers (1 - B)).

    1 when the load is not below the number of servers: then the queue grows for ever.
    """
    blocked = erlang_b(load, servers)
    if load >= servers:
        return 1.0
    return blocked / (1 - load / servers * (1 - blocked))


def markovian_queue(
    arrival_rate: float,
    service_rate: float,
    servers: int,
    *,
    waiting_places: float = math.inf,
    abandonment_rate: float = 0.0,
) -> Queue:
    """M/M/c/K+M: exponential service and patience; K - c `waiting_places`.

    Without a limit and without abandonment it is Erlang C, without waiting places Erlang B; with
    abandonment and no limit Erlang A (Palm, 1957; Garnett, Mandelbaum and Reiman,
    *Manufacturing & Service Operations Management* 4, 2002). In general it is the stationary
    birth-death chain with deaths at rate min(n, c) service_rate + max(n - c, 0) abandonment_rate.

    Without abandonment and limit the load must be below the number of servers, else ValueError.
    """
    _check_queue(arrival_rate, service_rate, servers, waiting_places, abandonment_rate)
    load = arrival_rate / service_rate
    if math.isinf(waiting_places) and abandonment_rate == 0:
        waits = erlang_c(load, servers)
        mean_wait = waits / (servers * service_rate - arrival_rate)
        return Queue(0.0, waits, 0.0, mean_wait, arrival_rate * mean_wait, load / servers)
    chain = _stationary_chain(arrival_rate, service_rate, servers, waiting_places, abandonment_rate)
    number = np.arange(chain.size)
    blocked = 0.0 if math.isinf(waiting_places) else float(chain[-1])
    let_in = arrival_rate * (1 - blocked)
    mean_queue = float(chain @ np.maximum(number - servers, 0))
    entering = chain if math.isinf(waiting_places) else chain[:-1]
    return Queue(
        blocked=blocked,
        waits=float(entering[servers:].sum()) / (1 - blocked),
        abandons=abandonment_rate * mean_queue / arrival_rate,
        mean_wait=mean_queue / let_in,
        mean_queue=mean_queue,
        occupancy=float(chain @ np.minimum(number, servers)) / servers,
    )


def served_within(
    limit: float,
    arrival_rate: float,
    service_rate: float,
    servers: int,
    *,
    waiting_places: float = math.inf,
    abandonment_rate: float = 0.0,
) -> float:
    """Service level of `markovian_queue`: share of all arrivals served after at most `limit`.

    Who finds k waiting before him would wait for k + 1 departures, at the rates c service_rate +
    j abandonment_rate, j = 0 ... k: a pure death process. With r = c service_rate /
    abandonment_rate and x = 1 - exp(-abandonment_rate limit), it ends in time with probability
    I_x(k + 1, r), the incomplete beta function; and the wait is in time and within his patience
    with probability r / (r + k + 1) I_x(k + 1, r + 1).
    """
    from scipy.special import betainc, gammainc

    _at_least_zero(limit=limit)
    _check_queue(arrival_rate, service_rate, servers, waiting_places, abandonment_rate)
    if math.isinf(waiting_places) and abandonment_rate == 0:
        spare = servers * service_rate - arrival_rate
        waits = erlang_c(arrival_rate / service_rate, servers)
        return 1 - waits * math.exp(-spare * limit)
    chain = _stationary_chain(arrival_rate, service_rate, servers, waiting_places, abandonment_rate)
    entering = chain if math.isinf(waiting_places) else chain[:-1]
    before = np.arange(max(entering.size - servers, 0))
    if abandonment_rate == 0:
        in_time = gammainc(before + 1, servers * service_rate * limit)
    else:
        r = servers * service_rate / abandonment_rate
        x = -math.expm1(-abandonment_rate * limit)
        in_time = r / (r + before + 1) * betainc(before + 1, r + 1, x)
    return float(entering[:servers].sum() + entering[servers:] @ in_time)


def fixed_patience_queue(
    arrival_rate: float, service_rate: float, servers: int, patience: float
) -> Queue:
    """M/M/c+D: everybody leaves after waiting exactly `patience` (Barrer, 1957).

    The wait v offered to an arrival (that of somebody who would never leave) has density
    proportional to exp((arrival_rate - c service_rate) v) up to the patience, and to
    exp(arrival_rate patience - c service_rate v) beyond it (Baccelli and Hebuterne, *Performance*
    '81). Unlike without patience, any load has a stationary state.
    """
    _check_queue(arrival_rate, service_rate, servers, math.inf, 0.0, stable=False)
    _at_least_zero(patience=patience)
    growth = arrival_rate - servers * service_rate
    within = patience if growth == 0 else math.expm1(growth * patience) / growth
    beyond = math.exp(growth * patience) / (servers * service_rate)
    all_but_one_busy = 1 / (
        1 / erlang_b(arrival_rate / service_rate, servers - 1) + arrival_rate * (within + beyond)
    )
    factor = arrival_rate * all_but_one_busy
    if abs(growth * patience) < 1e-6:  # the next formula would lose its digits
        waited = patience**2 / 2 + growth * patience**3 / 3
    else:
        waited = (patience * math.exp(growth * patience) - within) / growth
    abandons = factor * beyond
    mean_wait = factor * (waited + patience * beyond)
    return Queue(
        blocked=0.0,
        waits=factor * (within + beyond),
        abandons=abandons,
        mean_wait=mean_wait,
        mean_queue=arrival_rate * mean_wait,
        occupancy=arrival_rate * (1 - abandons) / (servers * service_rate),
    )


# --------------------------------------------------------------------------------- other queues


def single_server_mean_wait(arrival_rate: float, mean_service: float, service_cv: float) -> float:
    """Mean wait of M/G/1 (Pollaczek 1930, Khinchine 1932): arrival_rate E[S^2] / (2 (1 - rho)).

    `service_cv` is the coefficient of variation of the service time: E[S^2] = E[S]^2 (1 + cv^2).
    """
    _at_least_zero(arrival_rate=arrival_rate, mean_service=mean_service, service_cv=service_cv)
    rho = arrival_rate * mean_service
    if rho >= 1:
        raise ValueError(f"the load {rho:g} must be below 1: otherwise the queue grows for ever")
    return rho * mean_service * (1 + service_cv**2) / (2 * (1 - rho))


def tandem(arrival_rate: float, stations: Sequence[tuple[float, int]]) -> list[Queue]:
    """M/M/c queues one after the other: `stations` are pairs of service rate and servers.

    What leaves an M/M/c queue is again a Poisson process, independent of who is still inside
    (Burke, *Operations Research* 4, 1956), so each station is an M/M/c queue of its own.
    """
    return [markovian_queue(arrival_rate, rate, servers) for rate, servers in stations]


def infinite_server_mean(
    arrival_rates: Sequence[float] | Floats, step: float, survival: Callable[[Floats], Floats]
) -> Floats:
    """Mean number in M_t/G/infinity at the end of each step, empty at time 0.

    `arrival_rates` are constant over steps of length `step`; `survival(t)` is the probability that
    a service lasts longer than t. The number is Poisson with mean integral over u of
    arrival_rate(t - u) survival(u) (Eick, Massey and Whitt, *Operations Research* 41, 1993); it is
    the offered load by time of day, lagging behind the arrivals by about a service.
    """
    rates = np.asarray(arrival_rates, dtype=np.float64)
    nodes, weights = np.polynomial.legendre.leggauss(16)
    ages = step * (np.arange(rates.size)[:, None] + (nodes + 1) / 2)
    stay = survival(ages) @ weights * step / 2
    return np.convolve(rates, stay)[: rates.size]


def mean_wait_from_empty(
    arrival_rate: float, service_rate: float, servers: int, horizon: float
) -> float:
    """Mean wait of those who arrive at M/M/c within `horizon` of its opening, empty.

    The chain of the number present solved in time (Kolmogorov's forward equations): expected sum
    of waits over expected arrivals. Below the stationary wait for any horizon.
    """
    from scipy.sparse import csr_array, diags_array, hstack, vstack
    from scipy.sparse.linalg import expm_multiply

    _check_queue(arrival_rate, service_rate, servers, math.inf, 0.0, stable=False)
    arrivals = arrival_rate * horizon
    size = servers + math.ceil(arrivals + 12 * math.sqrt(arrivals) + 30)
    number = np.arange(size)
    deaths = float(service_rate) * np.minimum(number, servers)
    births = np.full(size, float(arrival_rate))
    births[-1] = 0.0
    diagonals = [births[:-1], -(births + deaths), deaths[1:]]
    forward = diags_array([d.tolist() for d in diagonals], offsets=[-1, 0, 1])
    waits = np.maximum(number - servers + 1, 0) / (servers * service_rate)
    column = csr_array((size + 1, 1))
    system = hstack([vstack([forward, csr_array(waits[None, :])]), column], format="csr")
    start = np.zeros(size + 1)
    start[0] = 1.0
    return float(expm_multiply(system * horizon, start)[-1]) / horizon


def expected_open_vial_waste(booked: int, attendance: float, doses_per_vial: int) -> float:
    """Doses left in the last vial of a session: E[-X mod doses_per_vial], X binomial.

    `booked` people come independently with probability `attendance`; a vial is opened when the one
    before is empty.
    """
    from scipy.stats import binom

    came = np.arange(booked + 1)
    return float(binom.pmf(came, booked, attendance) @ (-came % doses_per_vial))


# -------------------------------------------------------------------------------------- redials


@dataclass(frozen=True)
class Redials:
    """A queue whose lost callers try again."""

    attempts: float
    """arrivals per unit of time, fresh and repeated"""
    queue: Queue
    """per attempt"""
    given_up: float
    """share of fresh callers that is never served"""


def redial_fixed_point(
    arrival_rate: float,
    service_rate: float,
    servers: int,
    *,
    redials: float,
    waiting_places: float = math.inf,
    abandonment_rate: float = 0.0,
) -> Redials:
    """Every blocked or abandoning caller tries again with probability `redials`.

    Attempts L solve L = arrival_rate + redials L lost(L), `lost` of M/M/c/K+M with arrivals L
    (Cohen, *Philips Telecommunication Review* 18, 1957). It takes attempts for a Poisson process:
    right for long delays of redials, while with short ones they come when the queue is still long
    (`redial_chain` has that). It also leaves out that callers stop after a number of attempts.

    ValueError when nobody gives up and the servers cannot serve all.
    """
    from scipy.optimize import brentq

    if not 0 <= redials <= 1:
        raise ValueError(f"redials = {redials:g} must be a probability")

    def queue(attempts: float) -> Queue:
        return markovian_queue(
            attempts,
            service_rate,
            servers,
            waiting_places=waiting_places,
            abandonment_rate=abandonment_rate,
        )

    def settled(attempts: float) -> float:
        """Attempts after which nothing more is tried, less fresh callers: increasing."""
        return attempts * (1 - redials * queue(attempts).lost) - arrival_rate

    if redials == 1 and arrival_rate >= servers * service_rate:
        raise ValueError("where everybody redials until served, servers must be able to serve all")
    if settled(arrival_rate) >= 0:  # nobody is lost
        attempts = arrival_rate
    else:
        highest = 2 * arrival_rate
        while settled(highest) < 0:
            highest *= 2
        attempts = float(brentq(settled, arrival_rate, highest, xtol=1e-13 * highest, rtol=1e-13))
    result = queue(attempts)
    return Redials(attempts, result, (1 - redials) * attempts * result.lost / arrival_rate)


def redial_chain(
    arrival_rate: float,
    service_rate: float,
    servers: int,
    *,
    redials: float,
    redials_when_blocked: float | None = None,
    mean_delay: float,
    waiting_places: float = math.inf,
    abandonment_rate: float = 0.0,
) -> Redials:
    """The same, exactly: a redial comes after an exponential time with mean `mean_delay`.

    `redials_when_blocked` is the probability after a busy signal, where it is another.

    The stationary solution of the two-dimensional chain (present at the queue, waiting to redial),
    by sparse elimination; both numbers are cut off where less than a negligible probability lies
    beyond (Falin and Templeton, *Retrial Queues*, 1997, has such chains). Fit for some tens of
    servers.
    """
    when_blocked = redials if redials_when_blocked is None else redials_when_blocked
    most_redials = max(redials, when_blocked)
    fluid = redial_fixed_point(
        arrival_rate,
        service_rate,
        servers,
        redials=most_redials,
        waiting_places=waiting_places,
        abandonment_rate=abandonment_rate,
    )
    if most_redials == 0 or fluid.queue.lost == 0:
        return fluid
    orbit_mean = (fluid.attempts - arrival_rate) * mean_delay
    orbit = math.ceil(orbit_mean + 8 * math.sqrt(orbit_mean) + 20)
    places = waiting_places
    if math.isinf(places):
        busiest = _stationary_chain(
            arrival_rate + orbit / mean_delay, service_rate, servers, math.inf, abandonment_rate
        )
        places = busiest.size - servers
    while True:
        chain = _redial_stationary(
            arrival_rate, service_rate, servers + int(places), servers, abandonment_rate, redials,
            when_blocked, 1 / mean_delay, orbit,
        )  # fmt: skip
        if chain[:, -1].sum() < NEGLIGIBLE * 100:
            break
        orbit *= 2
    number = np.arange(chain.shape[0])
    present = chain.sum(axis=1)
    attempts_by_orbit = arrival_rate + np.arange(orbit + 1) / mean_delay
    attempts = float(chain.sum(axis=0) @ attempts_by_orbit)
    arriving = chain @ attempts_by_orbit / attempts  # the number present that an attempt finds
    blocked = 0.0 if math.isinf(waiting_places) else float(arriving[-1])
    mean_queue = float(present @ np.maximum(number - servers, 0))
    abandons = abandonment_rate * mean_queue / attempts
    queue = Queue(
        blocked=blocked,
        waits=float(arriving[servers:].sum() - blocked) / (1 - blocked),
        abandons=abandons,
        mean_wait=mean_queue / (attempts * (1 - blocked)),
        mean_queue=mean_queue,
        occupancy=float(present @ np.minimum(number, servers)) / servers,
    )
    given_up = (1 - redials) * abandons + (1 - when_blocked) * blocked
    return Redials(attempts, queue, attempts * given_up / arrival_rate)


def _redial_stationary(
    arrival_rate: float,
    service_rate: float,
    capacity: int,
    servers: int,
    abandonment_rate: float,
    redials: float,
    redials_when_blocked: float,
    redial_rate: float,
    orbit: int,
) -> Floats:
    """Stationary probabilities [present, waiting to redial]; who finds no room in orbit is lost."""
    present, waiting = np.indices((capacity + 1, orbit + 1))
    room = present < capacity
    joining = waiting < orbit
    leaving = abandonment_rate * np.maximum(present - servers, 0)
    trying = redial_rate * waiting
    return _stationary_plane(
        (capacity + 1, orbit + 1),
        [
            (1, 0, arrival_rate * room),
            (0, 1, arrival_rate * redials_when_blocked * (~room & joining)),
            (-1, 0, service_rate * np.minimum(present, servers)),
            (-1, 0, (1 - redials) * leaving + redials * leaving * ~joining),
            (-1, 1, redials * leaving * joining),
            (1, -1, trying * room),
            (0, -1, (1 - redials_when_blocked) * trying * ~room),
        ],
    )


def wrap_up_chain(
    arrival_rate: float,
    service_rate: float,
    wrap_up_rate: float,
    servers: int,
    *,
    waiting_places: int,
    abandonment_rate: float = 0.0,
) -> Queue:
    """M/M/c/K+M with exponential after-call work: it holds the server, but none of the K lines.

    K = servers + `waiting_places`. The stationary solution of the two-dimensional chain (at work
    after a call, lines in use), by sparse elimination; a free server never leaves a caller waiting,
    so both say how many talk and how many wait. `occupancy` has after-call work in it.
    """
    _check_queue(arrival_rate, service_rate, servers, waiting_places, abandonment_rate)
    _check_queue(arrival_rate, wrap_up_rate, servers, waiting_places, abandonment_rate)
    lines = servers + waiting_places
    after, in_use = np.indices((servers + 1, lines + 1))
    talking = np.minimum(in_use, servers - after)
    waiting = in_use - talking
    chain = _stationary_plane(
        (servers + 1, lines + 1),
        [
            (0, 1, arrival_rate * (in_use < lines)),
            (1, -1, service_rate * talking),
            (-1, 0, wrap_up_rate * after),
            (0, -1, abandonment_rate * waiting),
        ],
    )
    blocked = float(chain[:, -1].sum())
    mean_queue = float((chain * waiting).sum())
    waits = float(chain[:, :-1][(talking + after == servers)[:, :-1]].sum())
    return Queue(
        blocked=blocked,
        waits=waits / (1 - blocked),
        abandons=abandonment_rate * mean_queue / arrival_rate,
        mean_wait=mean_queue / (arrival_rate * (1 - blocked)),
        mean_queue=mean_queue,
        occupancy=float((chain * (talking + after)).sum()) / servers,
    )


def overlapping_pools_loss(
    own_rate: float,
    shared_rate: float,
    service_rate: float,
    own: int,
    shared: int,
    *,
    random: bool = False,
) -> tuple[float, float]:
    """Lost calls of two kinds when nobody waits, as shares of each kind.

    Calls of the first kind (`own_rate`) take one of `own` servers, or if none is free one of the
    `shared` ones (with `random` any free server of both, each as likely); calls of the second kind
    take a shared one only. The stationary solution of the two-dimensional chain (own servers busy,
    shared servers busy).
    """
    _check_queue(own_rate, service_rate, own, 0, 0.0)
    _check_queue(shared_rate, service_rate, shared, 0, 0.0)
    mine, others = np.indices((own + 1, shared + 1))
    free = own - mine + shared - others
    to_own = (own - mine) / np.maximum(free, 1) if random else mine < own
    chain = _stationary_plane(
        (own + 1, shared + 1),
        [
            (1, 0, own_rate * to_own),
            (0, 1, (own_rate * (1.0 - to_own) + shared_rate) * (others < shared)),
            (-1, 0, service_rate * mine),
            (0, -1, service_rate * others),
        ],
    )
    return float(chain[-1, -1]), float(chain[:, -1].sum())


def _stationary_plane(
    shape: tuple[int, int], moves: Sequence[tuple[int, int, NDArray[np.floating[Any]]]]
) -> Floats:
    """Stationary probabilities of a chain in two dimensions, by sparse elimination.

    A move is a step along each axis and its rate in every state; rates that would lead out of the
    shape must be zero.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import spsolve

    state = np.arange(shape[0] * shape[1])
    rows: list[NDArray[np.intp]] = []
    columns: list[NDArray[np.intp]] = []
    rates: list[Floats] = []
    for first, second, rate_of_each in moves:
        rate = np.asarray(rate_of_each, dtype=np.float64).ravel()
        source = state[rate > 0]
        rows += [source + first * shape[1] + second, source]
        columns += [source, source]
        rates += [rate[source], -rate[source]]
    balance = coo_array(
        (np.concatenate(rates), (np.concatenate(rows), np.concatenate(columns))),
        (state.size, state.size),
    ).tolil()
    balance[0, :] = 0.0
    balance[0, 0] = 1.0  # one equation is redundant: the chain is solved up to a factor
    right = np.zeros(state.size)
    right[0] = 1.0
    chain = spsolve(balance.tocsc(), right).reshape(shape)
    return np.asarray(chain / chain.sum(), dtype=np.float64)


# ------------------------------------------------------------------------------------- staffing


def delay_probability(beta: float, patience: float = math.inf) -> float:
    """Probability of waiting with load + beta sqrt(load) servers, for large loads.

    Halfin and Whitt (*Operations Research* 29, 1981) without abandonment, beta > 0; with it
    Garnett, Mandelbaum and Reiman (2002), any beta; `patience` is mean patience / mean service.
    """
    if math.isinf(patience):
        if beta <= 0:
            return 1.0
        return 1 / (1 + beta / _normal_hazard(-beta))
    y = math.sqrt(patience)
    return 1 / (1 + _normal_hazard(beta * y) / (y * _normal_hazard(-beta)))


def abandonment_probability(beta: float, patience: float, load: float) -> float:
    """Share that leaves, with load + beta sqrt(load) servers (Garnett et al., 2002).

    `patience` is mean patience / mean service.
    """
    y = math.sqrt(patience)
    servers = load + beta * math.sqrt(load)
    drift = _normal_hazard(beta * y) / y - beta
    return drift * delay_probability(beta, patience) / math.sqrt(servers)


def square_root_staffing(load: float, waits: float, patience: float = math.inf) -> int:
    """Servers with which about the share `waits` waits: load + beta sqrt(load), rounded up.

    `patience` is mean patience / mean service; beta is that of `delay_probability`.
    """
    from scipy.optimize import brentq

    _at_least_zero(load=load)
    if not 0 < waits < 1:
        raise ValueError(f"waits = {waits:g} must be between 0 and 1, ends excluded")
    lowest = 0.0 if math.isinf(patience) else -30.0
    beta = float(brentq(lambda b: delay_probability(b, patience) - waits, lowest, 30.0))
    return max(math.ceil(load + beta * math.sqrt(load)), 1)


def smallest_number_of_servers(
    condition: Callable[[int], bool], lowest: int = 1, highest: int = 1_000_000
) -> int:
    """The least number with which `condition` holds: it must stay true once it is.

    Doubling from `lowest`, then bisection. ValueError when it does not even hold with `highest`.
    """
    if condition(lowest):
        return lowest
    fails, step = lowest, 1
    while True:
        holds = min(fails + step, highest)
        if condition(holds):
            break
        if holds >= highest:
            raise ValueError(f"the condition does not hold with {highest} servers either")
        fails, step = holds, 2 * step
    between = range(fails + 1, holds)
    return fails + 1 + bisect_left(between, True, key=condition)


# ---------------------------------------------------------------------------------------- parts


def _stationary_chain(
    arrival_rate: float,
    service_rate: float,
    servers: int,
    waiting_places: float,
    abandonment_rate: float,
) -> Floats:
    """Probabilities of 0, 1, ... present; without a limit as far as they are not negligible.

    Relative to the largest and in logarithms, so that no load over- or underflows.
    """
    size = servers + 64 if math.isinf(waiting_places) else servers + int(waiting_places)
    while True:
        number = np.arange(1, size + 1)
        deaths = service_rate * np.minimum(number, servers)
        deaths = deaths + abandonment_rate * np.maximum(number - servers, 0)
        steps = np.log(arrival_rate / deaths)
        logs = np.concatenate(([0.0], np.cumsum(steps)))
        chain: Floats = np.exp(logs - logs.max())
        chain /= chain.sum()
        ratio = arrival_rate / deaths[-1]
        # beyond, terms fall faster than a geometric series with the last ratio
        if not math.isinf(waiting_places) or (
            ratio < 1 and chain[-1] * ratio / (1 - ratio) < NEGLIGIBLE
        ):
            return chain
        size *= 2


def _normal_hazard(x: float) -> float:
    """Hazard rate of the standard normal distribution, density / survival."""
    from scipy.special import erfcx

    return math.sqrt(2 / math.pi) / float(erfcx(x / math.sqrt(2)))


def _check_queue(
    arrival_rate: float,
    service_rate: float,
    servers: int,
    waiting_places: float,
    abandonment_rate: float,
    *,
    stable: bool = True,
) -> None:
    """ValueError for what is no queue, or (if it must be `stable`) grows for ever."""
    if not (arrival_rate > 0 and service_rate > 0):
        raise ValueError(f"rates must be above zero, not {arrival_rate:g} and {service_rate:g}")
    if servers < 1 or servers != int(servers):
        raise ValueError(f"servers = {servers} must be a whole number above zero")
    _at_least_zero(waiting_places=waiting_places, abandonment_rate=abandonment_rate)
    endless = math.isinf(waiting_places) and abandonment_rate == 0
    if stable and endless and arrival_rate >= servers * service_rate:
        raise ValueError(
            f"the load {arrival_rate / service_rate:g} must be below the {servers} servers: "
            "otherwise the queue grows for ever"
        )


def _at_least_zero(**values: float) -> None:
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(f"{name} = {value:g} must be zero or more")
