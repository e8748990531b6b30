"""DKIM: what verifying and signing cost, beside dkimpy in the same run.

    bench/signatures.py                a message of 4 kB
    bench/signatures.py --size 1400000     a large one

Each round is a pair, ours and theirs, in processor time; compare the ratios.  dkimpy is what everybody has
(`pip install dkimpy pynacl`); it is measured with its own ways of saying things: the whole message in one piece.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src")]

import dkim  # noqa: E402  the path is set just above

from mailserver.mailauth.dkim import keys  # noqa: E402
from mailserver.mailauth.dkim.message import Message  # noqa: E402
from mailserver.mailauth.dkim.record import read_record  # noqa: E402
from mailserver.mailauth.dkim.sign import sign  # noqa: E402
from mailserver.mailauth.dkim.verify import Verification  # noqa: E402

NOW = 1_764_000_000
HEADER = b"""\
Received: from client.example.org (client.example.org [192.0.2.7])
 by mail.example.org with ESMTPSA id 4f3a9c1b; Sun, 22 Nov 2026 12:00:00 +0000
From: Alice Example <alice@example.org>
To: Bob Example <bob@example.com>, Carol <carol@example.net>
Subject: Minutes of the meeting, and what we said about the budget
Date: Sun, 22 Nov 2026 12:00:00 +0000
Message-ID: <20261122120000.4f3a9c1b@example.org>
In-Reply-To: <20261121090000.1@example.com>
References: <20261120080000.1@example.com> <20261121090000.1@example.com>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
User-Agent: Example 1.0

""".replace(b"\n", b"\r\n")
LINES = b"A line of ordinary text, as people write it in mail, which goes on\r\n" * 9
LINES += b"and now and then one with more blanks.  Like this, and one at the end \r\n"


def cpu(act: Callable[[], object], times: int) -> float:
    """Milliseconds of processor time for one *act*."""
    start = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - start) / times * 1_000


def main() -> None:
    """Prints a line for each thing that is compared."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=4_000, help="octets of the body")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    body = LINES * (args.size // len(LINES) + 1)
    times = max(2, 40_000 // (args.size // 100 + 400))
    key = keys.SigningKey("example.org", "s1", keys.generate("rsa-2048"))
    pem = keys.to_pem(key.private)
    text = keys.record_text(key.private).encode()
    message = sign(HEADER, [body], [key], now=NOW) + HEADER + body
    header = message[: message.index(b"\r\n\r\n") + 2]

    def we_verify() -> None:
        read = Message(header)
        verification = Verification(read, now=NOW)
        read.feed(body)
        (result,) = verification.results({key.record_name: read_record(text)})
        assert result.result == "pass"

    def they_verify() -> None:
        assert dkim.verify(message, dnsfunc=lambda name, timeout=5: text)

    def we_sign() -> None:
        sign(HEADER, [body], [key], now=NOW)

    def they_sign() -> None:
        dkim.sign(HEADER + body, b"s1", b"example.org", pem, canonicalize=(b"relaxed", b"relaxed"))

    for what, ours, theirs in (
        ("verify", we_verify, they_verify),
        ("sign, RSA-2048", we_sign, they_sign),
    ):
        pairs = [(cpu(ours, times), cpu(theirs, max(1, times // 10))) for _ in range(args.rounds)]
        mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"{what:16} ours {mine:8.3f} ms   dkimpy {other:8.3f} ms   {ratio:6.1f} times")


if __name__ == "__main__":
    main()
