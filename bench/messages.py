"""The mail the benchmarks send: deterministic, of three sizes, with the variety that defeats simple caches."""

from __future__ import annotations

import base64
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

WORDS = (  # noqa: SIM905  a list would be a line a word
    "account address agenda answer archive arrival budget calendar change client contract customer "
    "day delivery department design draft evening flight friend harbour holiday house idea invoice "
    "journey kitchen letter list meeting minute morning music night note number office order paper "
    "partner payment picture plan price project question reason receipt report review river room "
    "sample schedule season server shipment station story summer table team ticket tomorrow town "
    "train travel update visit water weather week window winter word work year"
).split()
START = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)


def text(number: int, size: int = 4096) -> bytes:
    """A plain text message of about *size* octets."""
    dice = random.Random(number)
    head = _head(dice, number, "text/plain; charset=utf-8")
    return head + b"\r\n" + _lines(dice, size - len(head))


def with_attachment(number: int, size: int) -> bytes:
    """Text, HTML and a base64 attachment, about *size* octets together."""
    dice = random.Random(number)
    outer, inner = f"outer-{number}", f"inner-{number}"
    words = _lines(dice, 3_000)
    html = b"<html><body><p>" + words.replace(b"\r\n", b"</p>\r\n<p>") + b"</p></body></html>\r\n"
    data = base64.encodebytes(dice.randbytes(max(1_000, (size - 9_000) * 73 // 100)))
    parts = [
        _head(dice, number, f'multipart/mixed; boundary="{outer}"'),
        f'\r\n--{outer}\r\nContent-Type: multipart/alternative; boundary="{inner}"\r\n\r\n'.encode(),
        f"--{inner}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n".encode() + words,
        f"--{inner}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n".encode() + html,
        f"--{inner}--\r\n--{outer}\r\nContent-Type: application/octet-stream\r\n".encode(),
        f'Content-Disposition: attachment; filename="file{number}.bin"\r\n'.encode(),
        b"Content-Transfer-Encoding: base64\r\n\r\n" + data.replace(b"\n", b"\r\n"),
        f"--{outer}--\r\n".encode(),
    ]
    return b"".join(parts)


def mailbox(count: int) -> list[bytes]:
    """What lies in somebody's mailbox: short texts, one in twenty with an attachment."""
    return [with_attachment(n, 14_000) if n % 20 == 19 else text(n, 2_500) for n in range(count)]


def _head(dice: random.Random, number: int, content_type: str) -> bytes:
    who = f"{dice.choice(WORDS).title()} {dice.choice(WORDS).title()}"
    address = f"{dice.choice(WORDS)}.{dice.choice(WORDS)}@sender{number % 40}.example"
    when = format_datetime(START + timedelta(minutes=7 * number))
    return (
        f"Received: from relay{number % 9}.example ([192.0.2.{number % 250}])\r\n"
        f"\tby mail.example.test with ESMTPS id {dice.getrandbits(48):x}; {when}\r\n"
        f"From: {who} <{address}>\r\nTo: alice@example.test\r\n"
        f"Subject: {' '.join(dice.choices(WORDS, k=5))}\r\nDate: {when}\r\n"
        f"Message-ID: <{number}.{dice.getrandbits(48):x}@sender{number % 40}.example>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n"
    ).encode()


def _lines(dice: random.Random, size: int) -> bytes:
    out: list[str] = []
    while size > 0:
        line = " ".join(dice.choices(WORDS, k=11))
        out.append(line)
        size -= len(line) + 2
    return "\r\n".join(out).encode() + b"\r\n"
