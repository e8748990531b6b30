"""What a server says it can do, in its answer to EHLO or LHLO.

Spec: RFC 5321 §4.1.1.1, §4.3; RFC 1870 §3; RFC 4954 §3; RFC 9422 §3.  Status: complete.
Client: "AUTH=LOGIN", as it was before the standard, is read as "AUTH LOGIN".
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from mailserver.smtp.client_replies import readable

_KEYWORD = re.compile(r"[A-Z0-9][A-Z0-9-]*")
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The extensions of one server, at one moment: they are others after STARTTLS (RFC 3207 §4.2).

    name:           what it calls itself.
    words:          keyword in capitals -> what stood behind it.
    size:           octets of the largest message, None when it does not say.
    mechanisms:     of AUTH, in capitals.
    mail_max:       transactions on one connection, rcpt_max recipients of one; None when it does not say (RFC 9422 §4).
    """

    name: str = ""
    words: dict[str, str] = field(default_factory=dict)
    size: int | None = None
    mechanisms: frozenset[str] = frozenset()
    mail_max: int | None = None
    rcpt_max: int | None = None

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.words


#: what a server has that knows HELO only
NONE = Capabilities()


def parse(lines: Iterable[bytes]) -> Capabilities:
    """The capabilities in the *lines* of a reply to EHLO; lines that make no sense are left out."""
    first, *others = [readable(line) for line in lines]
    words: dict[str, str] = {}
    mechanisms: set[str] = set()
    for line in others:
        keyword, _, rest = line.strip().partition(" ")
        keyword = keyword.upper()
        if keyword.startswith("AUTH="):
            keyword, rest = "AUTH", f"{keyword[5:]} {rest}"
        if not _KEYWORD.fullmatch(keyword):
            continue
        if keyword == "AUTH":
            mechanisms.update(rest.upper().split())
        words.setdefault(keyword, rest.strip())
    bounds = dict(
        pair.split("=", 1) for pair in words.get("LIMITS", "").upper().split() if "=" in pair
    )
    return Capabilities(
        first.partition(" ")[0],
        words,
        _positive(words.get("SIZE")),
        frozenset(mechanisms),
        _positive(bounds.get("MAILMAX")),
        _positive(bounds.get("RCPTMAX")),
    )


def _positive(text: str | None) -> int | None:
    """The number; None for none and for 0, which means unknown (RFC 1870 §3)."""
    return int(text) or None if text and _NUMBER.fullmatch(text) else None
