"""SPF records: from text to terms and back.

Spec: RFC 7208 §4.5, §4.6, §5, §6, §12.  Status: complete.

A record that is wrong anywhere is wrong altogether.  Records that were read are remembered: those of the large
providers are met again and again.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from mailserver.base.errors import PeerError
from mailserver.mailauth.spf import macros
from mailserver.mailauth.spf.macros import MacroString

Qualifier = Literal["+", "-", "~", "?"]
Name = Literal["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"]
Address = IPv4Address | IPv6Address

VERSION = b"v=spf1"

_REMEMBERED = 2_000  #: records
_REMEMBERED_SIZE = 2_048  #: octets of the longest of them

_QUALIFIERS: dict[str, Qualifier] = {"": "+", "+": "+", "-": "-", "~": "~", "?": "?"}
_NAMES: dict[str, Name] = {
    "all": "all", "include": "include", "a": "a", "mx": "mx",
    "ptr": "ptr", "ip4": "ip4", "ip6": "ip6", "exists": "exists",
}  # fmt: skip

_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)")
_DIRECTIVE = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9]*)([:/]?.*)")
_LENGTHS = re.compile(r"(?:/(0|[1-9][0-9]{0,2}))?(?://(0|[1-9][0-9]{0,2}))?$")


@dataclass(frozen=True, slots=True)
class Directive:
    """A mechanism and what it means when it matches.

    spec:    of which domain; None: of the one that is checked, or none is needed.
    network: of ip4 and ip6, as it is written.
    four, six: leading bits that count of an address of each kind.
    """

    qualifier: Qualifier
    name: Name
    spec: MacroString | None = None
    network: Address | None = None
    four: int = 32
    six: int = 128

    def __str__(self) -> str:
        qualifier = "" if self.qualifier == "+" else self.qualifier
        return f"{qualifier}{self.mechanism}"

    @property
    def mechanism(self) -> str:
        """Without the qualifier."""
        text: str = self.name
        if self.spec is not None:
            text += f":{self.spec}"
        elif self.network is not None:
            text += f":{self.network}"
        if self.four != 32:
            text += f"/{self.four}"
        if self.six != 128:
            text += f"/{self.six}" if self.name == "ip6" else f"//{self.six}"
        return text


@dataclass(frozen=True, slots=True)
class Record:
    """What a domain says.

    redirect: who says the rest, when nothing matches.
    exp:      where an explanation of a failure is.
    unknown:  modifiers that mean nothing to us, as they are written.
    """

    directives: tuple[Directive, ...] = ()
    redirect: MacroString | None = None
    exp: MacroString | None = None
    unknown: tuple[str, ...] = ()

    def __str__(self) -> str:
        terms = [*map(str, self.directives), *self.unknown]
        if self.redirect is not None:
            terms.append(f"redirect={self.redirect}")
        if self.exp is not None:
            terms.append(f"exp={self.exp}")
        return " ".join(["v=spf1", *terms])


def is_record(text: bytes) -> bool:
    """Whether a TXT record is one for us (RFC 7208 §4.5)."""
    return text[:6].lower() == VERSION and text[6:7] in (b"", b" ")


def parse(text: bytes) -> Record:
    """The record in *text*, which `is_record`.  Raises PeerError, which says what is wrong."""
    return _remembered(text) if len(text) <= _REMEMBERED_SIZE else _parse(text)


@lru_cache(_REMEMBERED)
def _remembered(text: bytes) -> Record:
    return _parse(text)


def _parse(text: bytes) -> Record:
    try:
        terms = text[6:].decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise PeerError("the record has characters that are not ASCII") from None
    directives: list[Directive] = []
    known: dict[str, MacroString] = {}
    unknown: list[str] = []
    for term in filter(None, terms):
        if not term.isprintable():
            raise PeerError(f"{shown(term)} has control characters")
        modifier = _MODIFIER.fullmatch(term)
        if modifier is None:
            directives.append(_directive(term))
            continue
        name = modifier[1].lower()
        if name not in ("redirect", "exp"):
            macros.parse(modifier[2])
            unknown.append(term)
        elif name in known:
            raise PeerError(f"there are two {name}=")
        else:
            known[name] = macros.parse_domain(modifier[2])
    return Record(tuple(directives), known.get("redirect"), known.get("exp"), tuple(unknown))


def _directive(term: str) -> Directive:
    found = _DIRECTIVE.fullmatch(term)
    if found is None:
        raise PeerError(f"{shown(term)} is no mechanism")
    qualifier, name, rest = _QUALIFIERS[found[1]], _NAMES.get(found[2].lower()), found[3]
    if name == "all" and not rest:
        return Directive(qualifier, "all")
    if (name == "include" or name == "exists") and rest.startswith(":"):
        return Directive(qualifier, name, macros.parse_domain(rest[1:]))
    if name == "ptr" and (not rest or rest.startswith(":")):
        spec = macros.parse_domain(rest[1:]) if rest else None
        return Directive(qualifier, "ptr", spec)
    if name == "a" or name == "mx":
        return _hosts(qualifier, name, rest, term)
    if (name == "ip4" or name == "ip6") and rest.startswith(":"):
        return _network(qualifier, name, rest[1:], term)
    raise PeerError(f"{shown(term)} is no mechanism")


def _hosts(qualifier: Qualifier, name: Literal["a", "mx"], rest: str, term: str) -> Directive:
    """a and mx: a domain that may be left out, lengths of prefixes that may (RFC 7208 §5.3, §5.4, §5.6)."""
    lengths = _LENGTHS.search(rest)
    four = six = None
    if lengths is not None:
        four, six = lengths[1], lengths[2]
        rest = rest[: lengths.start()]
    if rest and not rest.startswith(":"):
        raise PeerError(f"{shown(term)} is no mechanism")
    spec = macros.parse_domain(rest[1:]) if rest else None
    return Directive(qualifier, name, spec, None, _bits(four, 32, term), _bits(six, 128, term))


def _network(qualifier: Qualifier, name: Literal["ip4", "ip6"], rest: str, term: str) -> Directive:
    """ip4 and ip6 (RFC 7208 §5.6)."""
    text, slash, length = rest.partition("/")
    if slash and not re.fullmatch(r"0|[1-9][0-9]{0,2}", length):
        raise PeerError(f"{shown(term)} has no length of a prefix behind its slash")
    bits = length if slash else None
    try:
        if name == "ip4":
            return Directive(qualifier, name, None, IPv4Address(text), _bits(bits, 32, term))
        if "%" in text:
            raise ValueError
        return Directive(qualifier, name, None, IPv6Address(text), 32, _bits(bits, 128, term))
    except ValueError:
        raise PeerError(f"{shown(term)} has no address") from None


def _bits(text: str | None, most: int, term: str) -> int:
    if text is None:
        return most
    if int(text) > most:
        raise PeerError(f"{shown(term)} wants more bits than an address has")
    return int(text)


def shown(text: str) -> str:
    """*text* for people: printable, and not too long."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")
