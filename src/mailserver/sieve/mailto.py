"""mailto URIs: to whom, and which header fields and body the message has.

Spec: RFC 6068 §2, §5; RFC 5436 §2.1, §2.7.  Status: complete.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from mailserver.sieve.addresses import one_mailbox

_MOST = 4_000  # characters of a URI
_FIELDS = 20  # header fields in one
#: RFC 6068 §2: what may stand in a URI, spaces and the rest only as %XX; characters beyond ASCII are let through
_URI = re.compile(
    r"mailto:(?P<to>[^?#\x00-\x20\"<>\x7f]*)(?:\?(?P<fields>[^#\x00-\x20\"<>\x7f]*))?",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NAME = re.compile(r"[!-9;-~]{1,76}")
_PLAIN = re.compile(r"[^\s\"(),:;<>@\[\\\]\x00-\x20\x7f]+")  # a local part that needs no quotes
#: fields that a URI cannot give: who writes, where it has been, what it consists of (RFC 5436 §2.7; RFC 6068 §7)
_IGNORED = re.compile(
    r"(?:from|sender|date|message-id|received|auto-submitted|return-path|delivered-to|bcc|in-reply-to|references"
    r"|precedence|errors-to|mime-version|subject|body|to|cc"
    r"|(?:content|resent|list|arc|dkim|domainkey|authentication|x-auto-response)-.*)",
    re.IGNORECASE,
)


class BadMailto(ValueError):
    """This is no mailto URI, or one that cannot be used; the text says why."""


class Mailto(NamedTuple):
    """to, cc: addresses, each once.      subject, body: None where the URI says nothing.

    fields: further header fields, (name, value) as the URI has them; those that are not safe are left out.
    """

    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str | None
    body: str | None
    fields: tuple[tuple[str, str], ...]


def parse_mailto(uri: str) -> Mailto:
    """What *uri* says.  Raises BadMailto, also where it names nobody."""
    m = _URI.fullmatch(uri)
    if m is None or len(uri) > _MOST:
        raise BadMailto(
            "it must be like mailto:bob@example.org?subject=News, with other characters as %XX"
        )
    if _PERCENT.search(uri):
        raise BadMailto("a % must be followed by two hexadecimal digits")
    to, cc = dict[str, None](), dict[str, None]()
    _add(to, m["to"])
    subject = body = None
    fields: list[tuple[str, str]] = []
    pairs = m["fields"].split("&") if m["fields"] else []
    if len(pairs) > _FIELDS:
        raise BadMailto(f"it may have {_FIELDS} header fields")
    for pair in pairs:
        written, equals, value = pair.partition("=")
        name = _decoded(written)
        if not equals or not _NAME.fullmatch(name):
            raise BadMailto("behind the ? stands name=value, with & between them")
        match name.lower():
            case "to":
                _add(to, value)
            case "cc":
                _add(cc, value)
            case "subject":
                subject = _decoded(value)
            case "body":
                body = _decoded(value)
            case _ if not _IGNORED.fullmatch(name):
                fields.append((name.capitalize() if name.islower() else name, _decoded(value)))
    if not to and not cc:
        raise BadMailto("it names nobody")
    return Mailto(tuple(to), tuple(a for a in cc if a not in to), subject, body, tuple(fields))


def _add(found: dict[str, None], written: str) -> None:
    """The addresses of a list, in which commas part them; one inside of an address is %2C in quotes."""
    for one in _split(_decoded(written.replace(",", "%2C"))):
        if not one.strip():
            continue
        mailbox = one_mailbox(one)
        if mailbox is None or not _PLAIN.fullmatch(mailbox.localpart):
            raise BadMailto(f'"{one.strip()[:100]}" is no address')
        found[mailbox.whole] = None


def _split(addresses: str) -> list[str]:
    """Parted at commas that stand in no quotes."""
    out, start, is_quoted, at = [], 0, False, 0
    while at < len(addresses):
        char = addresses[at]
        if char == '"':
            is_quoted = not is_quoted
        elif char == "\\" and is_quoted:
            at += 1
        elif char == "," and not is_quoted:
            out.append(addresses[start:at])
            start = at + 1
        at += 1
    return [*out, addresses[start:]]


def _decoded(value: str) -> str:
    return unquote_to_bytes(value).decode(errors="replace")
