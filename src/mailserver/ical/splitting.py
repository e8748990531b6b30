"""The cards in a file with many, one after the other, however large the file is.

Spec: RFC 6350 §3.2, §3.3; RFC 2426 §4.  Status: complete.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

#: a group may stand before it in version 3.0 (RFC 2426 §4)
_MARK = re.compile(rb"(?:[A-Z0-9-]{1,100}\.)?(BEGIN|END):VCARD\s*\Z", re.IGNORECASE)
PIECE = 65_536  #: octets that are asked for at a time; a line may come in several pieces


class Piece(NamedTuple):
    """A card, or something that is none.

    line: where it begins, from 1.        problem: why it is no card, "" for one.
    """

    line: int
    octets: bytes
    problem: str = ""


def pieces(readline: Callable[[int], bytes], size: int) -> Iterator[Piece]:
    """What is in a file, in order.  readline: a binary file's, with the octets it may return; size: of a card.

    What stands between cards and is not empty is one problem, however long.
    """
    at, held, octets, problem = (
        0,
        list[bytes](),
        0,
        "",
    )  # at: where the present card begins; 0: outside
    depth, number, is_whole = 0, 0, True
    is_strange, before = False, b""
    while raw := readline(PIECE):
        if number == 0:
            if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                yield Piece(1, b"", "the file is written in UTF-16; convert it to UTF-8")
                return
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        begins, is_whole = is_whole, raw.endswith(b"\n")
        number += begins
        # what stands behind a space belongs to the line before (RFC 6350 §3.2), whatever it looks like
        found = _MARK.match(raw) if begins else None
        word = found[1].upper() if found is not None else b""
        if word == b"BEGIN":
            if at and not before.endswith(b"AGENT:"):
                yield Piece(at, b"", "the card has no END:VCARD")
                at = 0
            if not at:
                at, held, octets, problem, depth, is_strange = number, [], 0, "", 0, False
            depth += 1
        if not at:
            if raw.strip() and not is_strange:
                is_strange = True
                yield Piece(number, b"", "this belongs to no card")
            continue
        octets += len(raw)
        if octets > size:
            problem, held = f"the card has more than {size} octets", []
        else:
            held.append(raw)
        before = raw.rstrip().upper()[-100:]
        if word == b"END":
            depth -= 1
            if depth == 0:
                yield Piece(at, b"" if problem else b"".join(held), problem)
                at, held = 0, []
    if at:
        yield Piece(at, b"", problem or "the card has no END:VCARD")
