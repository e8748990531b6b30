"""Valid conversations made slightly wrong, the same way for the same seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeVar

import transcript

T = TypeVar("T")
_ESCAPED = re.compile(rb"\\x([0-9a-fA-F]{2})")
_REPEATED = re.compile(rb"\{(\d+)\*([^}]*)\}")
_TOKEN = re.compile(rb"\{[a-z][a-z0-9_]*\}")

#: what parsers stumble over
WORDS = (
    b"\r", b"\n", b"\r\n", b"\0", b"\xff", b"\xc3", b" ", b"  ", b"\t", b'"', b"\\", b"(", b")", b"((((",
    b"))))", b"[", b"]", b"<", b">", b"{", b"}", b"{0}\r\n", b"{1+}\r\n", b"{10}\r\n", b"{70000+}\r\n",
    b"{99999999999}\r\n", b"{99999999999+}\r\n", b"~{3}\r\n", b"{-1}\r\n", b"*", b"%", b"*:*", b"4294967296",
    b"0", b"-1", b"18446744073709551616", b"1:*", b",", b":", b"NIL", b"\r\n.\r\n", b"\n.\n", b".", b"..", b"@",
    b"=", b"==", b"&", b"&-", b"&AAAA-", b"INBOX", b"UID ", b"BODY[1.2.3.MIME]", b"BODY[HEADER.FIELDS (",
    b"<0.0>", b"<4294967295.4294967295>", b"\\Seen", b"NOT ", b"OR ", b"CHARSET X ", b"\r\na LOGOUT\r\n",
    b"QUIT\r\n", b"RSET\r\n", b"DATA\r\n", b"STARTTLS\r\n", b"SIZE=99999999999999999999",
    b" BODY=8BITMIME SMTPUTF8", b"A" * 3_000, b"x" * 20_000, b"\xe2\x80\xa8", "\u00e9@\u00e4.test".encode(),
    b"DONE\r\n", b"IDLE\r\n",
)  # fmt: skip


class Dice:
    """Numbers that look thrown and depend on the seed alone."""

    def __init__(self, *seed: object) -> None:
        self._seed, self._count = repr(seed).encode(), 0

    def below(self, end: int) -> int:
        """0 .. end - 1."""
        self._count += 1
        digest = blake2b(b"%d %b" % (self._count, self._seed), digest_size=8).digest()
        return int.from_bytes(digest, "big") % end

    def one_of(self, things: Sequence[T]) -> T:
        """Any of *things*."""
        return things[self.below(len(things))]


def conversations(*folders: str) -> list[list[bytes]]:
    """What the clients of each transcript say, line by line, each with its CRLF."""
    found = []
    for folder in folders:
        for path in transcript.transcripts(folder):
            lines = [
                _octets(line.text)
                for line in transcript.read(path.read_text(), path.name)
                if line.speaker == "C" and not line.is_directive
            ]
            found.append(lines)
    return found


def _octets(text: str) -> bytes:
    raw = text.encode()
    raw = _REPEATED.sub(lambda m: m.group(2) * min(int(m.group(1)), 5_000), raw)
    raw = _TOKEN.sub(b"1", raw)
    raw = _ESCAPED.sub(lambda m: bytes.fromhex(m.group(1).decode()), raw)
    return raw.removesuffix(b"\\") if raw.endswith(b"\\") else raw + b"\r\n"


def mutated(lines: Sequence[bytes], others: Sequence[Sequence[bytes]], dice: Dice) -> bytes:
    """*lines* with one to six things wrong in them."""
    script = list(lines)
    for _ in range(dice.below(3)):
        dice.one_of(_LINE_CHANGES)(script, others, dice)
    data = bytearray(b"".join(script))
    for _ in range(1 + dice.below(4)):
        dice.one_of(_OCTET_CHANGES)(data, dice)
    return bytes(data)


def _drop_line(script: list[bytes], _others: Sequence[Sequence[bytes]], dice: Dice) -> None:
    if script:
        del script[dice.below(len(script))]


def _double_line(script: list[bytes], _others: Sequence[Sequence[bytes]], dice: Dice) -> None:
    if script:
        at = dice.below(len(script))
        script[at:at] = [script[at]] * (1 + dice.below(5))


def _swap_lines(script: list[bytes], _others: Sequence[Sequence[bytes]], dice: Dice) -> None:
    if script:
        a, b = dice.below(len(script)), dice.below(len(script))
        script[a], script[b] = script[b], script[a]


def _splice(script: list[bytes], others: Sequence[Sequence[bytes]], dice: Dice) -> None:
    other = dice.one_of(others)
    at = dice.below(len(script) + 1)
    script[at:at] = other[dice.below(len(other) + 1) :]


def _drop(data: bytearray, dice: Dice) -> None:
    if data:
        at = dice.below(len(data))
        del data[at : at + 1 + dice.below(4)]


def _double(data: bytearray, dice: Dice) -> None:
    if data:
        at = dice.below(len(data))
        data[at:at] = data[at : at + 1 + dice.below(40)]


def _swap(data: bytearray, dice: Dice) -> None:
    if data:
        a, b = dice.below(len(data)), dice.below(len(data))
        data[a], data[b] = data[b], data[a]


def _corrupt(data: bytearray, dice: Dice) -> None:
    if data:
        data[dice.below(len(data))] = dice.below(256)


def _flip(data: bytearray, dice: Dice) -> None:
    if data:
        data[dice.below(len(data))] ^= 1 << dice.below(8)


def _insert(data: bytearray, dice: Dice) -> None:
    at = dice.below(len(data) + 1)
    data[at:at] = dice.one_of(WORDS)


def _cut(data: bytearray, dice: Dice) -> None:
    del data[dice.below(len(data) + 1) :]


_LINE_CHANGES: tuple[Callable[[list[bytes], Sequence[Sequence[bytes]], Dice], None], ...] = (
    _drop_line,
    _double_line,
    _swap_lines,
    _splice,
)
_OCTET_CHANGES: tuple[Callable[[bytearray, Dice], None], ...] = (
    _drop,
    _double,
    _swap,
    _corrupt,
    _flip,
    _insert,
    _insert,
    _insert,
    _cut,
)
