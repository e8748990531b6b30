"""Two checkouts of ours, run in turns: what a change is worth on a machine whose speed is not constant.

    bench/pairs.py ../before                 messages in: this checkout beside the one in ../before
    bench/pairs.py ../before --workers auto --rounds 20

Each round is a pair.  Compare the ratios of the pairs; the rates of one machine differ by a quarter from minute to
minute, and by more where others use it too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests"), str(HERE.parent / "src")]

from lines import ACCOUNTS  # noqa: E402  the path is set just above
from load import Load  # noqa: E402
from turns import in_turns, table  # noqa: E402

from messages import text  # noqa: E402
from outside.server import Ours  # noqa: E402


@contextmanager
def serving(source: Path, workers: str) -> Iterator[Ours]:
    """A fresh server with the code in *source*, which judges nobody's mail."""
    server = Ours(workers=workers, count=ACCOUNTS, source=source)
    try:
        server.create()
        server.cli("trust", "add", "network", "127.0.0.0/8")
        server.start()
        yield server
        server.stop()
    finally:
        server.discard()


def plain(server: Ours, clients: int, total: int) -> Load:
    """*total* messages of 4 kB over *clients* connections, to all accounts in turn."""
    names = [account.address for account in server.accounts]
    letters = [text(n) for n in range(100)]
    return Load(server.host, server.ports["smtp"], names, letters, total, clients)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("before", type=Path, help="the folder of another checkout")
    parser.add_argument("--workers", default="1")
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    with (
        serving((args.before / "src").resolve(), args.workers) as before,
        serving(HERE.parent / "src", args.workers) as after,
    ):
        found = in_turns(before, after, plain, args.rounds)
    print(table(found, "before", "after"))


if __name__ == "__main__":
    main()
