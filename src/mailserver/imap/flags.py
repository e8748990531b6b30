r"""Message flags between the wire and the store.

Spec: RFC 3501 §2.3.2; RFC 5788 §2 (keywords).  Status: complete.
"""

from collections.abc import Iterable
from typing import NamedTuple

from mailserver.base.errors import LimitReached, PeerError
from mailserver.base.limits import ImapLimits
from mailserver.store import flags as bits

#: every system flag that can be stored, in the order FLAGS lists them
SYSTEM: tuple[bytes, ...] = tuple(name.encode("ascii") for name in bits.NAMES.values())
#: the right that changing each of them takes (RFC 4314 §4, STORE)
RIGHTS = {
    name: "s" if bit == bits.SEEN else "t" if bit == bits.DELETED else "w"
    for bit, name in bits.NAMES.items()
}
_BITS = {name.lower(): bit for bit, name in bits.NAMES.items()}
_TEXTS = [
    b" ".join(name.encode("ascii") for bit, name in bits.NAMES.items() if value & bit)
    for value in range(bits.ALL + 1)
]


class Flags(NamedTuple):
    """What a client says about a message.  keywords: as written, each once."""

    bits: int
    keywords: tuple[str, ...]


def read(names: Iterable[str], limits: ImapLimits) -> Flags:
    r"""The flags *names* that a client sent.  Raises PeerError for \Recent and unknown system flags, LimitReached.

    \Recent is the server's alone (RFC 3501 §2.3.2), and nothing is known of other names with a backslash.
    """
    value = 0
    keywords: dict[str, str] = {}
    for name in names:
        if name.startswith("\\"):
            bit = _BITS.get(name.lower())
            if bit is None:
                raise PeerError(f"flag {name} cannot be set")
            value |= bit
        elif len(name) > limits.keyword_size:
            raise LimitReached(f"A keyword has at most {limits.keyword_size} characters.")
        else:
            keywords.setdefault(name.lower(), name)
    return Flags(value, tuple(keywords.values()))


def rights(found: Flags) -> set[str]:
    """The rights that changing all of *found* takes."""
    needed = {right for name, right in RIGHTS.items() if found.bits & _BITS[name.lower()]}
    return needed | {"w"} if found.keywords else needed


def text(value: int, keywords: str, *, is_recent: bool) -> bytes:
    r"""Flags as FETCH says them, without parentheses: `\Seen $Forwarded \Recent` (RFC 3501 §7.4.2).

    keywords: joined with spaces, as the store keeps them.
    """
    out = _TEXTS[value]
    if keywords:
        out = out + b" " + keywords.encode("ascii") if out else keywords.encode("ascii")
    if is_recent:
        out = out + b" \\Recent" if out else b"\\Recent"
    return out
