"""Two checkouts of ours, run in turns: what a change is worth on a machine whose speed is not constant.

    bench/pairs.py ../before                 messages in: this checkout beside the one in ../before
    bench/pairs.py ../before --workers auto --rounds 20

Both servers run all the time, one works while the other waits, and each round is a pair.  Compare the ratios of the
pairs; the rates of one machine differ by a quarter from minute to minute, and by more where others use it too.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests"), str(HERE.parent / "src")]

from lines import ACCOUNTS  # noqa: E402  the path is set just above
from load import Load  # noqa: E402

from messages import text  # noqa: E402
from outside.meter import Meter  # noqa: E402
from outside.server import Ours  # noqa: E402

KINDS = ((10, 1_500), (100, 2_000))  #: connections, messages a round


@dataclass(frozen=True, slots=True)
class Run:
    """What one server did in one round."""

    rate: float  # messages accepted a second
    median_ms: float
    slowest_ms: float  # of the quickest 99 in a hundred
    cpu_ms: float  # of the server, a message
    others: float  # cores that foreign programs used meanwhile


@contextmanager
def serving(source: Path, workers: str) -> Iterator[Ours]:
    """A fresh server with the code in *source*."""
    server = Ours(workers=workers, count=ACCOUNTS, source=source)
    try:
        server.create()
        server.start()
        yield server
        server.stop()
    finally:
        server.discard()


def deliver(server: Ours, clients: int, total: int) -> Run:
    """*total* messages of 4 kB over *clients* connections."""
    names = [account.address for account in server.accounts]
    load = Load(
        server.host, server.ports["smtp"], names, [text(n) for n in range(100)], total, clients
    )
    with Meter(server.roots()) as meter:
        load.run()
    if load.refusals:
        raise RuntimeError(f"refused: {dict(load.refusals)}")
    waits = load.latencies_s
    return Run(
        total / load.wall_s,
        statistics.median(waits) * 1e3,
        statistics.quantiles(waits, n=100)[-1] * 1e3,
        meter.cpu_s / total * 1e3,
        meter.others,
    )


def shown(name: str, runs: list[Run]) -> str:
    """One line: medians, and the range of the rates."""
    rates = [run.rate for run in runs]
    middle = [
        statistics.median(values)
        for values in zip(
            *((r.rate, r.median_ms, r.slowest_ms, r.cpu_ms, r.others) for r in runs), strict=True
        )
    ]
    return (
        f"  {name:8}{middle[0]:6.0f} msg/s ({min(rates):.0f} to {max(rates):.0f}), p50 {middle[1]:.1f} ms,"
        f" p99 {middle[2]:.1f} ms, CPU {middle[3]:.2f} ms/msg, others {middle[4]:.2f} cores"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("before", type=Path, help="the folder of another checkout")
    parser.add_argument("--workers", default="1")
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    here = HERE.parent / "src"
    found: dict[int, list[tuple[Run, Run]]] = {clients: [] for clients, _ in KINDS}
    with (
        serving((args.before / "src").resolve(), args.workers) as before,
        serving(here, args.workers) as after,
    ):
        for server in (before, after):
            deliver(server, 10, 500)
        for turn in range(args.rounds):
            for clients, total in KINDS:
                if turn % 2:
                    late, early = (
                        deliver(after, clients, total),
                        deliver(before, clients, total),
                    )
                else:
                    early, late = (
                        deliver(before, clients, total),
                        deliver(after, clients, total),
                    )
                found[clients].append((early, late))
    for clients, pairs in found.items():
        ratios = [late.rate / early.rate for early, late in pairs]
        print(f"{clients} connections: {statistics.median(ratios):.2f} times the rate")
        print(shown("before", [early for early, _ in pairs]))
        print(shown("after", [late for _, late in pairs]))


if __name__ == "__main__":
    main()
