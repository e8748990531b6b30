"""Small messages for tests, and ways to see what a server holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from outside.corpus import Sample
from outside.meter import wait_until
from outside.server import Account, Server
from outside.wire import Imap


def message(subject: str, body: str = "Hello.\r\n", **fields: str) -> bytes:
    """A plain ASCII message. fields: further header fields, "_" for "-"."""
    head = {
        "From": "Sender <sender@example.org>",
        "To": "alice@example.test",
        "Subject": subject,
        "Date": "Mon, 2 Mar 2026 10:00:00 +0100",
        "Message-ID": f"<{abs(hash((subject, body))):x}@example.org>",
    }
    head |= {name.replace("_", "-"): value for name, value in fields.items()}
    return ("".join(f"{k}: {v}\r\n" for k, v in head.items()) + "\r\n" + body).encode()


def big(subject: str, size: int) -> bytes:
    """A message of about *size* octets in lines of 76."""
    line = "0123456789abcdef" * 4 + "0123456789\r\n"
    return message(subject, line * (size // len(line)))


def stored(
    server: Server, account: Account, mailbox: str = "INBOX", count: int = 0
) -> dict[int, bytes]:
    """UID to raw message, as IMAP gives it.

    count: how many a server that delivers after its 250 is waited for; ours delivers before it.
    """
    with Imap(server, account) as imap:
        if not server.delivers_at_once:
            wait_until(lambda: (imap.select(mailbox).number("EXISTS") or 0) >= count, 10)
        imap.ok(f"EXAMINE {mailbox}")
        found = imap.fetch("1:*", "(BODY.PEEK[])")
        return {uid: values[b"BODY[]"] for uid, values in found.items() if b"BODY[]" in values}  # type: ignore[misc]


def without_trace(raw: bytes) -> bytes:
    """A delivered message without the fields a server puts on top (RFC 5321 §4.4)."""
    trace = re.compile(
        rb"(?:Return-Path|Delivered-To|Received|X-Original-To|DKIM-Signature|Authentication-Results|Received-SPF)"
        rb"[ \t]*:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*",
        re.I,
    )
    while match := trace.match(raw):
        raw = raw[match.end() :]
    return raw


def fill(imap: Imap, mailbox: str, samples: Sequence[Sample], flags: Iterable[str] = ("",)) -> None:
    """APPEND all *samples* to *mailbox*, created when missing; flags go round."""
    if mailbox != "INBOX":
        imap.do(f'CREATE "{mailbox}"')
    turns = list(flags)
    for n, sample in enumerate(samples):
        imap.append(
            f'"{mailbox}"',
            sample.raw,
            turns[n % len(turns)],
            f"02-Mar-2026 10:{n % 60:02d}:00 +0100",
        )
