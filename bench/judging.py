"""What it costs to judge mail that comes in: a server that asks SPF, DKIM, ARC and DMARC beside one that asks nobody.

    python bench/judging.py                  eight rounds, about two minutes; needs knotd and unbound
    python bench/judging.py --rounds 20

Both run the same code on the same messages of 4 kB, signed with RSA-2048; one trusts the network that they come from.
Both use a resolver on this machine that validates.  One works while the other waits; compare the pairs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests"), str(HERE.parent / "src")]

from lines import ACCOUNTS  # noqa: E402
from load import Load  # noqa: E402
from pairs import Run, shown  # noqa: E402

import dnslab  # noqa: E402  the path is set just above
from mailserver.mailauth.dkim.keys import SigningKey, generate, record_text  # noqa: E402
from mailserver.mailauth.dkim.sign import sign  # noqa: E402
from messages import text  # noqa: E402
from outside.meter import Meter  # noqa: E402
from outside.server import Ours  # noqa: E402

KINDS = ((10, 1_500), (100, 2_000))  #: connections, messages a round
AUTHORS = 20  #: domains that the messages are from


def zones(key: SigningKey) -> dict[str, str]:
    """What the senders publish."""
    record = record_text(key.private)
    parts = " ".join(f'"{record[at : at + 255]}"' for at in range(0, len(record), 255))
    domains = {
        f"author{n}.example": (
            '@ TXT "v=spf1 include:spf.host.example mx -all"\n@ MX 10 mail.host.example.\n'
            f'_dmarc TXT "v=DMARC1; p=reject; rua=mailto:dmarc@author{n}.example"\n'
            f"bench._domainkey TXT {parts}\n"
        )
        for n in range(AUTHORS)
    }
    host = 'mail A 127.0.0.1\nload A 127.0.0.1\nspf TXT "v=spf1 ip4:192.0.2.0/24 ip4:127.0.0.0/8 -all"\n'
    return domains | {
        "host.example": host,
        "127.in-addr.arpa": "1.0.0 PTR load.host.example.\n",
    }


def letters(key: SigningKey) -> list[bytes]:
    """A hundred messages, each signed by its author's domain."""
    made = []
    for n in range(100):
        author = f"author{n % AUTHORS}.example"
        header, _, body = text(n).partition(b"\r\n\r\n")
        lines = [line for line in header.split(b"\r\n") if not line.lower().startswith(b"from:")]
        head = b"\r\n".join([b"From: Somebody <s@%b>" % author.encode(), *lines]) + b"\r\n\r\n"
        own = SigningKey(author, key.selector, key.private)
        made.append(sign(head, [body], [own], now=1_700_000_000) + head + body)
    return made


class From(Load):
    """A load whose envelope senders are the authors' domains."""

    def sender(self, number: int) -> str:
        return f"s@author{number % len(self.messages) % AUTHORS}.example"


@contextmanager
def serving(lab: dnslab.Lab, *, is_judged: bool) -> Iterator[Ours]:
    """A fresh server."""
    settings = f'dns: {{servers: ["127.0.0.1:{lab.resolver[1]}"]}}\n'
    server = Ours(count=ACCOUNTS, settings=settings)
    try:
        server.create()
        if not is_judged:
            server.cli("trust", "add", "network", "127.0.0.0/8")
        server.start()
        yield server
        server.stop()
    finally:
        server.discard()


def deliver(server: Ours, messages: list[bytes], clients: int, total: int) -> Run:
    """*total* of *messages* over *clients* connections."""
    names = [account.address for account in server.accounts]
    load = From(server.host, server.ports["smtp"], names, messages, total, clients)
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    key = SigningKey("author0.example", "bench", generate("rsa-2048"))
    messages = letters(key)
    found: dict[int, list[tuple[Run, Run]]] = {clients: [] for clients, _ in KINDS}
    with (
        tempfile.TemporaryDirectory() as folder,
        dnslab.running(Path(folder), zones(key), signed=(), bogus=()) as lab,
        serving(lab, is_judged=False) as plain,
        serving(lab, is_judged=True) as judged,
    ):
        for server in (plain, judged):
            deliver(server, messages, 10, 500)
        for turn in range(args.rounds):
            for clients, total in KINDS:
                pair = [(0, plain), (1, judged)]
                runs = {
                    place: deliver(server, messages, clients, total)
                    for place, server in (pair if turn % 2 else reversed(pair))
                }
                found[clients].append((runs[0], runs[1]))
    for clients, pairs in found.items():
        rate = statistics.median(late.rate / early.rate for early, late in pairs)
        more = statistics.median(late.cpu_ms - early.cpu_ms for early, late in pairs)
        print(
            f"{clients} connections: {rate:.2f} times the rate, {more:.2f} ms of CPU more a message"
        )
        print(shown("not", [early for early, _ in pairs]))
        print(shown("judged", [late for _, late in pairs]))


if __name__ == "__main__":
    main()
