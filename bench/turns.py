"""Two servers that run all the time and work in turns: a machine changes by the minute, a pair's ratio little."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outside.meter import Meter

if TYPE_CHECKING:
    from load import Load

    from outside.server import Ours

KINDS = ((10, 1_500), (100, 2_000))  #: connections, messages a round


@dataclass(frozen=True, slots=True)
class Run:
    """What one server did in one round."""

    rate: float  # messages accepted a second
    median_ms: float
    slowest_ms: float  # of the quickest 99 in a hundred
    cpu_ms: float  # of the server, a message
    others: float  # cores that foreign programs used meanwhile


Pairs = list[tuple[Run, Run]]


def deliver(server: Ours, load: Load) -> Run:
    """*server* under *load*, all of which it must accept."""
    with Meter(server.roots()) as meter:
        load.run()
    if load.refusals:
        raise RuntimeError(f"refused: {dict(load.refusals)}")
    waits = load.latencies_s
    return Run(
        load.total / load.wall_s,
        statistics.median(waits) * 1e3,
        statistics.quantiles(waits, n=100)[-1] * 1e3,
        meter.cpu_s / load.total * 1e3,
        meter.others,
    )


def in_turns(
    first: Ours, second: Ours, load: Callable[[Ours, int, int], Load], rounds: int
) -> dict[int, Pairs]:
    """The runs of *first* and *second* for each number of connections, pair by pair.

    load: what one of them gets, for a number of connections and of messages.
    """
    found: dict[int, Pairs] = {clients: [] for clients, _ in KINDS}
    for server in (first, second):
        deliver(server, load(server, 10, 500))
    for turn in range(rounds):
        for clients, total in KINDS:
            order = (first, second) if turn % 2 else (second, first)
            runs = [deliver(server, load(server, clients, total)) for server in order]
            found[clients].append((runs[0], runs[1]) if turn % 2 else (runs[1], runs[0]))
    return found


def table(found: dict[int, Pairs], first: str, second: str) -> str:
    """For each number of connections what *second* did of the rate of *first*, and a line for either."""
    lines = []
    for clients, pairs in found.items():
        rate = statistics.median(late.rate / early.rate for early, late in pairs)
        more = statistics.median(late.cpu_ms - early.cpu_ms for early, late in pairs)
        lines += [
            f"{clients} connections: {rate:.2f} times the rate, {more:+.2f} ms of CPU a message",
            _shown(first, [early for early, _ in pairs]),
            _shown(second, [late for _, late in pairs]),
        ]
    return "\n".join(lines)


def _shown(name: str, runs: list[Run]) -> str:
    """One line: medians, and the range of the rates."""
    rates = [run.rate for run in runs]
    rate, median_ms, slowest_ms, cpu_ms, others = (
        statistics.median(values)
        for values in zip(
            *((r.rate, r.median_ms, r.slowest_ms, r.cpu_ms, r.others) for r in runs), strict=True
        )
    )
    return (
        f"  {name:10}{rate:6.0f} msg/s ({min(rates):.0f} to {max(rates):.0f}), p50 {median_ms:.1f} ms,"
        f" p99 {slowest_ms:.1f} ms, CPU {cpu_ms:.2f} ms/msg, others {others:.2f} cores"
    )
