"""SEARCH: which messages match.

Spec: RFC 3501 §6.4.4, §6.4.8, §7.2.5; RFC 9051 §6.4.4.  Status: complete.
"""

from dataclasses import dataclass
from typing import Final

from mailserver.base.registry import scan
from mailserver.imap import response
from mailserver.imap.conversation import Conversation, Read, Send
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, conversation
from mailserver.imap.response import Tagged
from mailserver.imap.searching import keys
from mailserver.imap.searching.bits import select
from mailserver.imap.searching.key import Slice
from mailserver.imap.searching.program import Program, parse_program
from mailserver.imap.searching.scan import Scan
from mailserver.imap.session import Session
from mailserver.mime.charsets import codec_for

#: messages that are looked at together
ROWS: Final = 4_000

#: what BADCHARSET names; others are understood too
CHARSETS: Final = "US-ASCII UTF-8 ISO-8859-1 ISO-8859-15 WINDOWS-1252 KOI8-R ISO-2022-JP GB18030"

scan(keys)


@dataclass(frozen=True, slots=True)
class SearchArgs:
    """program: None where the charset is not known.      is_uid: UIDs are asked for."""

    program: Program | None
    is_uid: bool


def parse(p: Parser) -> SearchArgs:
    """[SP "CHARSET" SP astring] 1*(SP search-key) (RFC 3501 §9).

    Without CHARSET strings are UTF-8, of which US-ASCII is a part (RFC 9051 §6.4.4).
    """
    p.sp()
    codec: str | None = "utf-8"
    if p.accept(b"CHARSET "):
        name = p.astring().decode("ascii", "replace")
        codec = codec_for(name[:80]) if name.strip() else None
        p.sp()
    if codec is None:
        p.at = len(p.line)  # what follows cannot be read without it
        return SearchArgs(None, p.is_uid)
    return SearchArgs(parse_program(p, codec), p.is_uid)


# numbers must keep their meaning while it runs (RFC 3501 §7.4.1)
@conversation("SEARCH", state=State.SELECTED, parse=parse, uid_variant=True, expunges=False)
def search(session: Session, args: SearchArgs) -> Conversation:
    """One SEARCH response with all numbers, ascending; NO for an unknown charset (RFC 3501 §6.4.4)."""
    if args.program is None:
        return Tagged(f"BADCHARSET ({CHARSETS})", "This charset is not known here.", "NO")
    view = session.view
    uids = view.uids
    found: list[int] = []
    for start in range(0, len(uids), ROWS):
        slice_ = Slice(
            uids[start : start + ROWS], start + 1, len(uids), uids[-1], view.recent_spans
        )
        tried = Scan(args.program, view.mailbox, slice_)
        while not tried.is_done:
            yield Read(tried.step)
        numbers = slice_.uids if args.is_uid else range(start + 1, start + 1 + len(slice_.uids))
        found += select(tried.found, numbers)
    yield Send([response.search(found)])
    return None
