"""Addresses as SMTP writes them: paths, local parts, domains, address literals.

Spec: RFC 5321 §4.1.2, §4.1.3; RFC 6531 §3.3; RFC 5890.  Status: complete.
Client: devices and old programs put spaces between "FROM:" and "<"; the path is read all the same.
"""

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple

from mailserver.base.errors import PeerError

MAX_DOMAIN = 255  #: octets (RFC 5321 §4.5.3.1.2)

_ATEXT = (
    r"[^\x00-\x20\x7f()<>\[\]:;@\\,.\"]"  # RFC 5322 §3.2.3, and UTF-8 beyond ASCII (RFC 6531 §3.3)
)
_DOT_STRING = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e\x80-\U0010ffff]|\\[\x20-\x7e])*)"')
_PAIR = re.compile(r"\\([\x20-\x7e])")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DOMAIN = re.compile(r"\[[^\[\]\\\x00-\x20\x7f]+\]|[^\x00-\x20\x7f()<>\[\]:;@\\,\"]+")
_ROUTE = re.compile(rf"@(?:{_DOMAIN.pattern})(?:,@(?:{_DOMAIN.pattern}))*:")
_USUAL = re.compile(r"<([a-zA-Z0-9_+=-]++(?:\.[a-zA-Z0-9_+=-]++)*)@([a-zA-Z0-9.-]++)>")
_GENERAL = re.compile(r"[a-z0-9-]*[a-z0-9]:[\x21-\x5a\x5e-\x7e]+", re.IGNORECASE)


class Address(NamedTuple):
    """A mailbox.  Two spellings of one address differ at most in the case of *localpart*.

    localpart: unquoted, as the peer wrote it (RFC 5321 §2.4 keeps its case).
    domain:    A-labels in lower case; an address literal with its brackets; "" only for <Postmaster>.
    """

    localpart: str
    domain: str

    def __str__(self) -> str:
        """With the least quoting there is (RFC 5321 §4.1.2)."""
        return _written(*self)

    @property
    def is_ascii(self) -> bool:
        """Whether it may appear without SMTPUTF8; the domain always may."""
        return self.localpart.isascii()


@lru_cache(maxsize=4_096)
def _written(local: str, domain: str) -> str:
    """A message's addresses are asked for again and again: for replies, the log, fields, counters and the trace."""
    if not _DOT_STRING.fullmatch(local):
        local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{local}@{domain}" if domain else local


class Path(NamedTuple):
    """What stands between the angle brackets, and how it was written.

    address:  None for the null path "<>" (RFC 5321 §4.5.5).
    is_ascii: False when a U-label or a UTF-8 local part was used: it needs SMTPUTF8 (RFC 6531 §3.4).
    """

    address: Address | None
    is_ascii: bool


NULL = Path(None, True)


def parse_path(text: str, *, postmaster: bool = False) -> tuple[Path, str]:
    """The path at the start of *text* and what follows it; a source route is dropped (RFC 5321 §4.1.1.3).

    postmaster: "<Postmaster>" without a domain is a path too (RFC 5321 §4.1.1.3), with the domain "".
    Raises PeerError with a text for the peer.
    """
    if usual := _USUAL.match(text):
        localpart, domain = usual.groups()
        return Path(Address(localpart, parse_domain(domain)), True), text[usual.end() :]
    if not text.startswith("<"):
        raise PeerError("an address stands in angle brackets: <local-part@domain>")
    if text.startswith("<>"):
        return NULL, text[2:]
    at = 1
    if route := _ROUTE.match(text, at):
        at = route.end()
    localpart, end = _localpart(text, at)
    if postmaster and text.startswith(">", end) and localpart.lower() == "postmaster":
        return Path(Address(localpart, ""), True), text[end + 1 :]
    if not text.startswith("@", end):
        raise PeerError("an address has the form <local-part@domain>")
    found = _DOMAIN.match(text, end + 1)
    if not found or not text.startswith(">", found.end()):
        raise PeerError("the domain of the address is not valid")
    address = Address(localpart, parse_domain(found[0]))
    return Path(address, text[at : found.end()].isascii()), text[found.end() + 1 :]


def parse_mailbox(text: str) -> Address:
    """The address that *text* is, without brackets.  Raises PeerError."""
    localpart, end = _localpart(text, 0)
    if not text.startswith("@", end):
        raise PeerError("an address has the form local-part@domain")
    return Address(localpart, parse_domain(text[end + 1 :]))


@lru_cache(maxsize=4_096)
def parse_domain(text: str) -> str:
    """A domain name as A-labels in lower case, or an address literal in its one spelling.

    Raises PeerError.  Underscores are refused (RFC 5321 §4.1.2), as are empty labels and more than MAX_DOMAIN octets.
    """
    if text.startswith("["):
        return _literal(text)
    if len(text.encode(errors="replace")) > MAX_DOMAIN:
        raise PeerError(f"the domain is longer than {MAX_DOMAIN} octets")
    domain = text.lower() if text.isascii() else _a_labels(text)
    if len(domain) > MAX_DOMAIN or not all(_LABEL.fullmatch(label) for label in domain.split(".")):
        raise PeerError("the domain of the address is not valid")
    return domain


def literal(address: str) -> str:
    """The address literal of an IP address, its zone left out: "[192.0.2.1]", "[IPv6:fe80::1]" (RFC 5321 §4.1.3)."""
    address = address.partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _localpart(text: str, at: int) -> tuple[str, int]:
    if found := _DOT_STRING.match(text, at):
        return found[0], found.end()
    if found := _QUOTED.match(text, at):
        return _PAIR.sub(r"\1", found[1]), found.end()
    raise PeerError("the local part of the address is not valid")


def _literal(text: str) -> str:
    inner = text[1:-1]
    if len(text) > MAX_DOMAIN or not text.endswith("]"):
        raise PeerError("the address literal is not valid")
    try:
        if inner[:5].lower() == "ipv6:":
            return literal(str(ipaddress.IPv6Address(inner[5:].partition("%")[0])))
        if not _GENERAL.fullmatch(inner):
            octets = [int(part) for part in inner.split(".") if part.isdigit() and len(part) <= 3]
            if inner.count(".") != 3 or len(octets) != 4:
                raise ValueError(inner)
            return literal(str(ipaddress.IPv4Address(bytes(octets))))
    except ValueError:
        raise PeerError("the address literal is not valid") from None
    return text.lower()


def _a_labels(text: str) -> str:
    import idna  # heavy, and needed for few addresses

    try:
        return idna.encode(text, uts46=True, std3_rules=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise PeerError("the domain is no valid internationalized domain name") from None
