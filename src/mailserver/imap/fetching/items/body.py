r"""Items that are octets of the message: BODY[...], BODY.PEEK[...], RFC822, RFC822.PEEK, RFC822.HEADER, RFC822.TEXT.

Spec: RFC 3501 §6.4.5, §7.4.2.  Status: complete.

Those without PEEK set \Seen, except RFC822.HEADER.
"""

from mailserver.imap.fetching.item import Cut, cut
from mailserver.imap.fetching.section import Partial, Section, parse_partial, parse_section
from mailserver.imap.parser import Parser
from mailserver.imap.registry import fetch_item

_NEEDS = ("blob", "size", "header_size")


def _section(p: Parser) -> tuple[Section, Partial | None]:
    """Section behind its opening bracket, ["<" number "." nz-number ">"] (RFC 3501 §9)."""
    return parse_section(p), parse_partial(p)


@fetch_item("BODY[", needs=_NEEDS, sees=True, parse=_section)
@fetch_item("BODY.PEEK[", needs=_NEEDS, parse=_section)
def section(argument: tuple[Section, Partial | None]) -> Cut:
    """A section, or a part of it; a response names its first octet only if the client did (RFC 3501 §7.4.2)."""
    spec, partial = argument
    origin = b"<%d>" % partial.offset if partial else b""
    return cut(b"BODY[%b]%b" % (bytes(spec), origin), spec, partial)


@fetch_item("RFC822", needs=_NEEDS, sees=True)
def rfc822() -> Cut:
    """BODY[] by its old name (RFC 3501 §6.4.5)."""
    return cut(b"RFC822", Section())


@fetch_item("RFC822.PEEK", needs=_NEEDS)
def rfc822_peek() -> Cut:
    """BODY.PEEK[] by a name older than RFC 2060, answered as RFC822.

    Client: Outlook asks for it now and then ([MS-STANOIMAP] §2.2.34, V0055; emersion/go-imap issue 657).
    """
    return cut(b"RFC822", Section())


@fetch_item("RFC822.HEADER", needs=_NEEDS)
def rfc822_header() -> Cut:
    """BODY.PEEK[HEADER] by its old name (RFC 3501 §6.4.5)."""
    return cut(b"RFC822.HEADER", Section(text="HEADER"))


@fetch_item("RFC822.TEXT", needs=_NEEDS, sees=True)
def rfc822_text() -> Cut:
    """BODY[TEXT] by its old name (RFC 3501 §6.4.5)."""
    return cut(b"RFC822.TEXT", Section(text="TEXT"))
