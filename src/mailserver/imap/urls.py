"""IMAP URLs that name a message on this server, or a part of one, as CATENATE takes them.

Spec: RFC 5092 §5, §6.1, §7, §11; RFC 4469 §3.  Status: relative URLs of messages only.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from mailserver.base.errors import PeerError
from mailserver.base.limits import ImapLimits
from mailserver.imap.fetching.section import Partial, Section, parse_section
from mailserver.imap.names import fold
from mailserver.imap.parser import Parser

_PATH: Final = re.compile(
    rb"(?:/(?P<mailbox>[^;/?#][^;?#]*?)(?:;UIDVALIDITY=(?P<validity>[1-9][0-9]{0,9}))?/|/?)"
    rb";UID=(?P<uid>[1-9][0-9]{0,9})"
    rb"(?:/;SECTION=(?P<section>[^;?#]+?))?"
    rb"(?:/;PARTIAL=(?P<offset>[0-9]{1,10})(?:\.(?P<length>[1-9][0-9]{0,9}))?)?",
    re.IGNORECASE,
)
_UNSAFE: Final = re.compile(rb"[^\x21-\x5b\x5e-\x7e]|\\")
_REST: Final = 0xFFFF_FFFF


class MessageUrl(NamedTuple):
    """What a URL names.

    mailbox:     as the client knows it; None for the one that is selected.
    uidvalidity: 0 where the URL leaves it open.
    """

    mailbox: str | None
    uidvalidity: int
    uid: int
    section: Section
    partial: Partial | None


def parse(url: bytes, limits: ImapLimits) -> MessageUrl:
    """The message or part that the relative *url* names (RFC 5092 §7.2).  Raises PeerError for every other URL."""
    m = _PATH.fullmatch(url)
    if m is None:
        raise PeerError("not the relative URL of a message")
    name = None
    if m["mailbox"] is not None:
        try:
            name = fold(unquote_to_bytes(m["mailbox"]).decode())
        except UnicodeDecodeError:
            raise PeerError("mailbox name is not UTF-8") from None
    section = Section()
    if m["section"] is not None:
        p = Parser(unquote_to_bytes(m["section"]) + b"]", limits)
        section = parse_section(p)
        p.end()
    part = None
    if m["offset"] is not None:
        part = Partial(int(m["offset"]), int(m["length"] or _REST))
    return MessageUrl(name, int(m["validity"] or 0), int(m["uid"]), section, part)


def shown(url: bytes) -> str:
    """*url* as the response code BADURL may hold it: printable, without "]" (RFC 4469 §5)."""
    return _UNSAFE.sub(lambda m: b"%%%02X" % ord(m[0]), url[:400]).decode("ascii") or "%00"
