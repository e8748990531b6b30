"""What it costs to judge mail that comes in: a server that asks SPF, DKIM, ARC and DMARC beside one that asks nobody.

    python bench/judging.py                  eight rounds, about two minutes; needs knotd and unbound
    python bench/judging.py --rounds 20

Both run the same code on the same messages of 4 kB, signed with RSA-2048; one trusts the network that they come from.
Both use a resolver on this machine that validates.  One works while the other waits; compare the pairs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / name) for name in ("tests", "tools", "src"))]

from lines import ACCOUNTS  # noqa: E402
from load import Load  # noqa: E402
from turns import in_turns, table  # noqa: E402

import dnslab  # noqa: E402  the path is set just above
from mailserver.mailauth.dkim.keys import SigningKey, generate, record_text  # noqa: E402
from mailserver.mailauth.dkim.sign import sign  # noqa: E402
from messages import text  # noqa: E402
from outside.server import Ours  # noqa: E402

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


def signed(messages: list[bytes]) -> Callable[[Ours, int, int], Load]:
    """Makes loads of *messages*."""

    def load(server: Ours, clients: int, total: int) -> Load:
        names = [account.address for account in server.accounts]
        return From(server.host, server.ports["smtp"], names, messages, total, clients)

    return load


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    key = SigningKey("author0.example", "bench", generate("rsa-2048"))
    messages = letters(key)
    with (
        tempfile.TemporaryDirectory() as folder,
        dnslab.running(Path(folder), zones(key), signed=(), bogus=()) as lab,
        serving(lab, is_judged=False) as plain,
        serving(lab, is_judged=True) as judged,
    ):
        found = in_turns(plain, judged, signed(messages), args.rounds)
    print(table(found, "not judged", "judged"))


if __name__ == "__main__":
    main()
