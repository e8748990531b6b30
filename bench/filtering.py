"""What a script of fifty rules costs: the script by itself, and deliveries with it beside deliveries without.

    python bench/filtering.py                eight rounds, about two minutes
    python bench/filtering.py --rounds 20

Half of the rules look for a word in the subject, half for a sender; none of them is true, so all are tried.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests"), str(HERE.parent / "src")]

from lines import ACCOUNTS  # noqa: E402  the path is set just above
from pairs import plain  # noqa: E402
from turns import in_turns, table  # noqa: E402

from mailserver.app.trying import tried  # noqa: E402
from mailserver.base.limits import Limits  # noqa: E402
from mailserver.sieve.compiler import compile_script  # noqa: E402
from mailserver.sieve.scores import Scores  # noqa: E402
from messages import text  # noqa: E402
from outside.server import Ours  # noqa: E402

RULES = 50


def script() -> str:
    """The rules, one after the other, as a mail program's editor writes them."""
    tests = [
        f'header :contains "subject" ["offer {n}", "newsletter {n}"]'
        if n % 2
        else f'address :is "from" ["news{n}@shop.example", "list{n}@club.example"]'
        for n in range(RULES)
    ]
    rules = [f'if {test} {{ fileinto "Folder {n}"; stop; }}' for n, test in enumerate(tests)]
    return "\r\n".join(['require ["fileinto"];', *rules, ""])


def alone_ms(runs: int = 400) -> float:
    """CPU of one message's run through the script, its header read each time."""
    limits, letter = Limits(), text(1)
    program = compile_script(script().encode(), limits.sieve, load=lambda location, name: None)
    start = time.process_time()
    for _ in range(runs):
        tried(
            program,
            letter,
            limits,
            sender="s@example.org",
            recipient="alice@example.test",
            now=datetime.now(UTC),
            scores=Scores(),
        )
    return (time.process_time() - start) / runs * 1e3


@contextmanager
def serving(*, is_filtered: bool) -> Iterator[Ours]:
    """A fresh server; filtered: everybody has the script."""
    server = Ours(count=ACCOUNTS)
    try:
        server.create()
        server.cli("trust", "add", "network", "127.0.0.0/8")
        if is_filtered:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "rules.sieve"
                file.write_text(script())
                for account in server.accounts:
                    server.cli("sieve", "put", account.address, str(file), "--activate")
        server.start()
        yield server
        server.stop()
    finally:
        server.discard()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    print(f"{RULES} rules over a message of 4 kB: {alone_ms():.2f} ms of CPU")
    with serving(is_filtered=False) as without, serving(is_filtered=True) as filtered:
        found = in_turns(without, filtered, plain, args.rounds)
    print(table(found, "without", "filtered"))


if __name__ == "__main__":
    main()
