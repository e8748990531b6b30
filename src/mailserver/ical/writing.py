"""New cards, and a UID for those that have none.

Spec: RFC 2426 §3.1.1, §3.1.2, §3.3.2, §3.6.7; RFC 6350 §3.2, §3.4, §6.7.9.  Status: complete for what we write.

We write version 3.0: every program reads it, some of them (Apple's) nothing newer.
"""

import re
from collections.abc import Sequence

_FOLDED = rb"[^\r\n]*(?:\r\n|\r|\n)(?:[ \t][^\r\n]*(?:\r\n|\r|\n))*"  #: the rest of a property
_GROUP = rb"(?:[A-Z0-9_-]{1,100}\.)?"
_START = re.compile(
    _GROUP + rb"BEGIN:VCARD" + _FOLDED + rb"(?:" + _GROUP + rb"VERSION[:;]" + _FOLDED + rb")?",
    re.IGNORECASE,
)
_WIDTH = 75  #: octets of a line without its end (RFC 6350 §3.2)


def made(uid: str, name: str, emails: Sequence[str]) -> bytes:
    """A card of somebody called *name*."""
    given, _, family = name.rpartition(" ") if " " in name else (name, "", "")
    lines = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        f"UID:{escaped(uid)}",
        f"FN:{escaped(name)}",
        f"N:{escaped(family)};{escaped(given)};;;",
        *(f"EMAIL;TYPE=INTERNET:{escaped(email)}" for email in emails),
        "END:VCARD",
    ]
    return b"".join(map(folded, lines))


def with_uid(octets: bytes, uid: str) -> bytes:
    """The card with a UID behind BEGIN, and behind VERSION where that comes next; nothing else of it changes.

    In version 4.0 nothing may come between the two (RFC 6350 §6.7.9).
    """
    start = _START.match(octets)
    at = start.end() if start is not None else 0
    line = folded(f"UID:{escaped(uid)}")
    is_crlf = octets[:at].endswith(b"\r\n")
    return octets[:at] + (line if is_crlf else line.replace(b"\r\n", b"\n")) + octets[at:]


def escaped(text: str) -> str:
    r"""*text* as a value: "\", ",", ";" and line ends in the form in which they stand for themselves."""
    text = text.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def folded(line: str) -> bytes:
    """The line with its CRLF, folded between characters so that no part has more than 75 octets."""
    out, width = list[bytes](), 0
    for char in line:
        octets = char.encode(errors="replace")
        if width + len(octets) > _WIDTH:
            out.append(b"\r\n ")
            width = 1
        out.append(octets)
        width += len(octets)
    return b"".join([*out, b"\r\n"])
