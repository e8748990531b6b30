"""How a search says what it has found: SEARCH, SORT and ESEARCH responses, in pieces.

Spec: RFC 4731 §3.1, §3.2; RFC 9051 §7.3.4; RFC 3501 §7.2.5; RFC 7162 §3.1.6; RFC 5256 §4; RFC 5267 §3.1, §4.4;
RFC 6203 §4; RFC 7377 §2.1.  Status: complete.

A hundred thousand numbers are a second's work for nobody, and yet too much to do in one go beside other clients: they
are written a few thousand at a time, by a generator that runs in a thread.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mailserver.imap import wire
from mailserver.imap.searching import runs
from mailserver.imap.searching.returning import Returning

#: numbers that are written in one go
PIECE: Final = 8_192
#: numbers of a run that are written in the time of one that stands alone
_RUN: Final = 16


@dataclass(frozen=True, slots=True)
class Result:
    """What a search has found.

    numbers: of the messages, or their UIDs, in the order that was asked for.
    modseq:  the highest of those that are named, where the client asked for modseqs and there are some; else 0.
    scores:  relevancy of each, from 1 to 100, where that was asked for.
    """

    numbers: Sequence[int]
    modseq: int = 0
    scores: Sequence[int] | None = None


def plain(name: bytes, result: Result) -> Iterator[bytes]:
    """`* SEARCH 2 3 (MODSEQ 7)`, or SORT."""
    yield b"* " + name
    for piece in _pieces(result.numbers):
        yield b" " + runs.joined(piece)
    yield b" (MODSEQ %d)\r\n" % result.modseq if result.modseq else b"\r\n"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which search an ESEARCH response answers (RFC 4466 §2.6.2; RFC 7377 §2.1).

    tag:     of the command.         is_uid: all numbers are UIDs.
    mailbox: its name in wire form and its UIDVALIDITY, where several are searched.
    """

    tag: bytes
    is_uid: bool
    mailbox: tuple[bytes, int] | None = None

    def head(self) -> bytes:
        """`* ESEARCH (TAG "a1") UID`, without a space behind it."""
        where = b" MAILBOX %b UIDVALIDITY %d" % self.mailbox if self.mailbox else b""
        uid = b" UID" if self.is_uid else b""
        return b"* ESEARCH (TAG %b%b)%b" % (wire.string(self.tag), where, uid)


def extended(origin: Origin, returning: Returning, result: Result) -> Iterator[bytes]:
    """`* ESEARCH (TAG "a1") UID MIN 3 COUNT 7 ALL 3,5:10`: what was asked for, and exists (RFC 4731 §3.1)."""
    wants, found, shown = returning.wants, result.numbers, result.numbers
    yield origin.head()
    if found and "MIN" in wants:
        yield b" MIN %d" % found[0]
    if found and "MAX" in wants:
        yield b" MAX %d" % found[-1]
    if "COUNT" in wants:
        yield b" COUNT %d" % len(found)
    if found and "ALL" in wants:
        yield b" ALL "
        yield from sequence_set(found)
    scores = result.scores
    if returning.partial is not None:
        yield b" PARTIAL (%b " % str(returning.partial).encode()
        start, end = returning.partial.of(len(found))
        shown, scores = found[start:end], scores[start:end] if scores is not None else None
        if shown:
            yield from sequence_set(shown)
            yield b")"
        else:
            yield b"NIL)"
    if "RELEVANCY" in wants and scores is not None:
        yield b" RELEVANCY ("
        for n, piece in enumerate(_pieces(scores)):
            yield (b" " if n else b"") + " ".join(map(str, piece)).encode()
        yield b")"
    if result.modseq:
        yield b" MODSEQ %d" % result.modseq
    yield b"\r\n"


def sequence_set(numbers: Sequence[int]) -> Iterator[bytes]:
    """*numbers* in their order, in pieces; ranges only where they ascend (RFC 5267 §3.2)."""
    first = last = 0
    out: list[str] = []
    is_first = True
    for piece in _pieces(numbers):
        for n in piece:
            if n == last + 1 and last:
                last = n
                continue
            if last:
                out.append(f"{first}:{last}" if first != last else str(first))
            first = last = n
        if out:
            yield (b"" if is_first else b",") + ",".join(out).encode()
            is_first = False
            out = []
    if last:
        text = f"{first}:{last}" if first != last else str(first)
        yield (b"" if is_first else b",") + text.encode()


def _pieces(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), PIECE):
        yield numbers[start : start + PIECE]


def work(numbers: Sequence[int]) -> int:
    """How many numbers that stand alone are as much work to write as *numbers*."""
    return len(numbers) // _RUN if isinstance(numbers, range) else len(numbers)


def joined(pieces: Iterator[bytes]) -> list[bytes]:
    """All *pieces*, some of them joined, ready to be sent."""
    out: list[bytes] = []
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= 65_536:
            out.append(bytes(held))
            held.clear()
    out.append(bytes(held))
    return out


def numbered(places: Sequence[int], uids: Sequence[int], *, is_uid: bool) -> Sequence[int]:
    """What the client is told of the messages at *places* in the ascending *uids*, counted from 0."""
    is_all = isinstance(places, range) and len(places) == len(uids)
    if not is_uid:
        return range(1, len(uids) + 1) if is_all else array("I", [place + 1 for place in places])
    if is_all:
        return uids
    return array("I", [uids[place] for place in places])
