"""Where reports go: the URIs of "rua" and "ruf", and the record that asks for TLS reports.

Spec: RFC 9989 §4.6, §4.7; RFC 8460 §3; RFC 6068 §2; RFC 3986 §3.  Status: complete.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from mailserver.base.errors import PeerError

URIS = 20  #: of one record that are looked at
_URI_SIZE = 2_000
_SIZE = re.compile(r"(\d{1,15})([kmgt]?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOMAIN = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+(?!\d+\Z)[A-Za-z0-9-]{2,63}"
_ADDRESS = re.compile(rf"({_ATEXT}(?:\.{_ATEXT})*)@({_DOMAIN})")
_HOST = re.compile(_DOMAIN)
_LOCALPART = 64
_VERSION = re.compile(rb"v=TLSRPTv1[ \t]*(?:;|\Z)")


class Destination(NamedTuple):
    """One place that wants reports.

    target: an address, or an https URI.
    host:   whose permission counts: the address's domain, the URI's host; in lower case.
    most:   octets of a report, as it is transferred; None: no bound.
    """

    scheme: str
    target: str
    host: str
    most: int | None = None


def destinations(uris: Iterable[str], schemes: Iterable[str] = ("mailto",)) -> list[Destination]:
    """Those of *uris* that can be used, in their order, each once; what cannot be read is left out (RFC 9989 §4.7)."""
    found: dict[tuple[str, str], Destination] = {}
    for number, uri in enumerate(uris):
        if number == URIS:
            break
        try:
            one = destination(uri)
        except PeerError:
            continue
        if one.scheme in schemes:
            found.setdefault((one.scheme, one.target.lower()), one)
    return list(found.values())


def split(value: str) -> list[str]:
    """The URIs of a tag's value, between commas."""
    return [uri for uri in (piece.strip(" \t\r\n") for piece in value.split(",")) if uri]


def destination(uri: str) -> Destination:
    """What *uri* says, with its size after "!" (RFC 7489 §6.4, still read).  Raises PeerError."""
    text, mark, size = uri.strip(" \t").partition("!")
    if len(text) > _URI_SIZE or not text.isascii() or not text.isprintable():
        raise PeerError("a URI that is none")
    most = _octets(size) if mark else None
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not colon or scheme not in ("mailto", "https"):
        raise PeerError(f"a URI of another kind: {scheme[:20]}")
    if scheme == "https":
        return _https(text, most)
    found = _ADDRESS.fullmatch(unquote(rest.partition("?")[0]))
    if found is None or len(found[1]) > _LOCALPART or len(found[2]) > 253:
        raise PeerError("a mailto URI without an address of a domain")
    return Destination("mailto", f"{found[1]}@{found[2]}", found[2].lower(), most)


def tls_record(values: Iterable[bytes]) -> tuple[str, ...]:
    """The URIs of the one record there is in the TXT records of `_smtp._tls`; () if there is not one (RFC 8460 §3)."""
    ours = [value for value in values if _VERSION.match(value)]
    if len(ours) != 1:
        return ()
    for piece in ours[0].split(b";")[1:]:
        name, equals, value = piece.strip(b" \t").partition(b"=")
        if equals and name.strip(b" \t") == b"rua":
            return tuple(split(value.decode("ascii", "replace")))
    return ()


def _https(text: str, most: int | None) -> Destination:
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise PeerError("an https URI that is none") from error
    if _HOST.fullmatch(host) is None or len(host) > 253 or "@" in parts.netloc or port == 0:
        raise PeerError("an https URI without a host's name")
    return Destination("https", text, host, most)


def _octets(size: str) -> int:
    found = _SIZE.fullmatch(size.strip(" \t"))
    if found is None:
        raise PeerError("a URI with a size that is none")
    return int(found[1]) * _UNITS[found[2].lower()]
