"""The domain that a message claims to come from: the one in its From field.

Spec: RFC 9989 §5.3.1; RFC 5322 §3.6.2; RFC 5890 §2.3; RFC 8616 §6.  Status: complete.
Deviates: RFC 9989 §5.3.1 leaves a From with several domains alone; here it is `broken`, so that nobody evades a policy
by naming a second author.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from mailserver.mime.addresses import MISSING_DOMAIN, Budget, parse_addresses
from mailserver.mime.headers import FIELD_BODY, unfold

MAX_SIZE = 2_000  #: octets of a From field that are read
MAX_ADDRESSES = 100  #: in it
MAX_DOMAIN = 245  #: octets, so that "_dmarc." fits before it
REMEMBERED = 2_000  #: values of From that are not read again
REMEMBERED_SIZE = 300  #: octets of the longest of them

_FROM = re.compile(rb"^from[ \t]*+:(" + FIELD_BODY + rb")", re.IGNORECASE | re.MULTILINE)
_LABELS = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*")


class Author(NamedTuple):
    """domain: A-labels in lower case; "" if there is not exactly one, and *reason* says why.

    is_broken: somebody is named, but not so that it can be said who.
    """

    domain: str
    reason: str
    is_broken: bool = False


_TOO_LONG = Author("", f"more than {MAX_ADDRESSES} addresses or {MAX_SIZE} octets in From", True)


def author(header: bytes) -> Author:
    """Whom the header section names as the author's domain."""
    return author_of([m[1] for m in _FROM.finditer(header)])


def author_of(fields: Sequence[bytes]) -> Author:
    """The same, of what stands behind the colons of all From fields."""
    if not fields:
        return Author("", "no From field")
    if len(fields) > 1:
        return Author("", f"{len(fields)} From fields", True)
    value = unfold(fields[0])
    if len(value) > MAX_SIZE:
        return _TOO_LONG
    return _known(value) if len(value) <= REMEMBERED_SIZE else _named(value)


def _named(value: bytes) -> Author:
    if b"\0" in value:  # where some programs end it
        return Author("", "a NUL in From", True)
    found = parse_addresses(value, Budget(MAX_SIZE))
    if len(found) > MAX_ADDRESSES:
        return _TOO_LONG
    domains: dict[str, None] = {}
    literals = 0
    for one in found:
        if one.mailbox is None or one.domain is None:
            continue  # the beginning or the end of a group
        if (
            b"@" in one.mailbox
        ):  # which of the two comes before the domain is seen in different ways
            return Author("", "an address with two @ in From", True)
        if one.domain.startswith(b"["):
            literals += 1
            continue
        domain = "" if one.domain == MISSING_DOMAIN else a_labels(one.domain)
        if not domain:
            return Author("", "no valid domain in From", True)
        domains[domain] = None
    if len(domains) + literals > 1:
        return Author("", f"{len(domains) + literals} domains in From", True)
    if literals:
        return Author("", "an address literal in From")
    if not domains:
        return Author("", "no address in From", bool(value))
    return Author(next(iter(domains)), "")


_known = lru_cache(maxsize=REMEMBERED)(_named)


def a_labels(domain: bytes) -> str:
    """*domain* as the DNS knows it, in lower case without a dot at the end; "" if that cannot be."""
    try:
        text = domain.decode().lower().removesuffix(".")
        if not text.isascii():
            import idna  # heavy, and needed for few messages

            text = idna.encode(text, uts46=True, std3_rules=True).decode("ascii").lower()
    except ValueError:  # IDNAError and UnicodeError are some
        return ""
    return text if len(text) <= MAX_DOMAIN and _LABELS.fullmatch(text) else ""
