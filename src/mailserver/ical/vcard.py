"""What a card says of somebody: who he is called, where mail reaches him, by which name programs know the card.

Spec: RFC 6350 §3.3, §5.3, §6.1.4, §6.2.1 to §6.2.3, §6.4.2, §6.6.4, §6.7.6; RFC 2426 §3; vCard 2.1.
Status: complete for these.
Client: many programs leave out FN, N or UID, which versions 3.0 and 4.0 ask for; the card is read all the same.
Client: Apple's Contacts write groups as X-ADDRESSBOOKSERVER-KIND.
"""

import re
from typing import NamedTuple

from mailserver.base.errors import PeerError
from mailserver.base.limits import ContactLimits
from mailserver.ical.lines import OLD, Property, properties

VERSIONS = (OLD, "3.0", "4.0")
UID_SIZE = 1_000  #: characters of a UID
NAME_SIZE = 500  #: characters of a name that are kept
INDIVIDUAL, GROUP = "individual", "group"

_VERSION = re.compile(
    rb"^(?:[A-Za-z0-9_-]{1,100}\.)?VERSION(?:;[^:\r\n]{0,100})?:[ \t]*([0-9.]{1,10})[ \t]*\r?$",
    re.IGNORECASE | re.MULTILINE,
)
_MAILTO = re.compile("^mailto:", re.IGNORECASE)
_READ = 5_000  #: characters of a value that are looked at


class Card(NamedTuple):
    """One, as far as it is understood.

    uid:       "" where it has none.
    name:      how it is shown: FN, or what comes nearest.
    structure: family name, given name, additional, prefixes, suffixes; () without N.
    kind:      "individual", "group", "org", "location", or another word in lower case (RFC 6350 §6.1.4).
    emails:    addresses as they are written, each once, the preferred ones first.
    """

    version: str
    uid: str
    name: str
    structure: tuple[str, ...]
    kind: str
    emails: tuple[str, ...]


def read(octets: bytes, limits: ContactLimits, first: int = 1) -> Card:
    """The card that *octets* are.  first: the number of its first line.

    Raises PeerError, with the line, for what is no card, for several, and for one beyond the limits.
    """
    if len(octets) > limits.card_size:
        raise PeerError(f"line {first}: the card has more than {limits.card_size} octets")
    version = _version(octets, first)
    known: dict[str, list[Property]] = {}
    depth, is_over = 0, False
    for one in properties(octets, version, limits.properties, first):
        if is_over:
            raise PeerError(f"line {one.line}: something follows the end of the card")
        value = one.value.strip().upper()
        if one.name == "BEGIN" and value == b"VCARD":
            depth += 1
        elif depth == 0:
            raise PeerError(f"line {one.line}: a card begins with BEGIN:VCARD")
        elif one.name == "END" and value == b"VCARD":
            depth -= 1
            is_over = depth == 0
        elif depth == 1:  # deeper is the card of an agent (vCard 2.1 §2.4.3)
            known.setdefault(one.name, []).append(one)
    if not is_over:
        raise PeerError(f"line {first}: the card has no END:VCARD")
    return _card(known, version, limits)


def _version(octets: bytes, first: int) -> str:
    found = _VERSION.search(octets)
    if found is None:
        raise PeerError(f"line {first}: the card does not say its version")
    version = found[1].decode()
    if version not in VERSIONS:
        raise PeerError(f"line {first}: cards are read in versions {', '.join(VERSIONS)}")
    return version


def _card(known: dict[str, list[Property]], version: str, limits: ContactLimits) -> Card:
    def first(*names: str) -> str:
        texts = (one.text(version) for name in names for one in _by_preference(known, name))
        return next((line for text in texts if (line := _line(text))), "")

    def head(name: str) -> str:
        """The first of the texts that a value has."""
        texts = (one.parts(version, 1)[0] for one in _by_preference(known, name))
        return next((line for text in texts if (line := _line(text))), "")

    uid = first("UID")
    if len(uid) > UID_SIZE:
        raise PeerError(f"line {known['UID'][0].line}: a UID may have {UID_SIZE} characters")
    written = known.get("N", ())
    structure = tuple(map(_line, written[0].parts(version, 5))) if written else ()
    emails = _emails(_by_preference(known, "EMAIL"), version, limits)
    name = first("FN") or _spoken(structure) or head("ORG") or first("NICKNAME")
    kind = first("KIND", "X-ADDRESSBOOKSERVER-KIND").lower()[:50] or INDIVIDUAL
    shown = name or (emails[0] if emails else "")
    return Card(version, uid, shown[:NAME_SIZE], structure, kind, emails)


def _by_preference(known: dict[str, list[Property]], name: str) -> list[Property]:
    """The properties of this name, those that are preferred first, else in their order (RFC 6350 §5.3)."""
    return sorted(known.get(name, ()), key=lambda one: one.preference)


def _emails(written: list[Property], version: str, limits: ContactLimits) -> tuple[str, ...]:
    texts = [_line(one.text(version)) for one in written]
    found = dict.fromkeys(_MAILTO.sub("", text, count=1) for text in texts if text)
    if len(found) > limits.addresses:
        raise PeerError(
            f"line {written[0].line}: a card may have {limits.addresses} mail addresses"
        )
    return tuple(found)


def _spoken(structure: tuple[str, ...]) -> str:
    """Prefixes, given name, additional, family name, suffixes, as they are said."""
    family, given, more, before, after = (*structure, "", "", "", "", "")[:5]
    return " ".join(part for part in (before, given, more, family, after) if part)


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text[:_READ]).split())
