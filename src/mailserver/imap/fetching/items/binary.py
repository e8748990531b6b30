r"""Items that are parts without their transfer encoding: BINARY[...], BINARY.PEEK[...], BINARY.SIZE[...].

Spec: RFC 3516 §4.2, §4.3; RFC 9051 §6.4.5, §7.5.2.  Status: complete.

An empty section is the message as it is: what encodings there are, its parts have.
"""

from mailserver.imap.fetching.item import Binary
from mailserver.imap.fetching.section import Partial, Section, parse_partial, parse_section
from mailserver.imap.parser import Parser
from mailserver.imap.registry import fetch_item

_NEEDS = ("blob", "size", "header_size")


def _part(p: Parser) -> Section:
    """[section-part] "]": numbers only (RFC 3516 §7, section-binary)."""
    section = parse_section(p)
    if section.text:
        raise p.error("BINARY takes part numbers only")
    return section


def _partial(p: Parser) -> tuple[Section, Partial | None]:
    return _part(p), parse_partial(p)


@fetch_item("BINARY[", needs=_NEEDS, sees=True, parse=_partial, capability="BINARY")
@fetch_item("BINARY.PEEK[", needs=_NEEDS, parse=_partial)
def binary(argument: tuple[Section, Partial | None]) -> Binary:
    """The decoded octets of a part, or some of them (RFC 3516 §4.2)."""
    section, partial = argument
    origin = b"<%d>" % partial.offset if partial else b""
    return Binary(b"BINARY[%b]%b" % (bytes(section), origin), section, partial)


@fetch_item("BINARY.SIZE[", needs=_NEEDS, parse=_part)
def binary_size(section: Section) -> Binary:
    """How many octets BINARY of this part has (RFC 3516 §4.3)."""
    return Binary(b"BINARY.SIZE[%b]" % bytes(section), section, is_size=True)
