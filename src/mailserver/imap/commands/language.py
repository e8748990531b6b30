"""LANGUAGE: in which language the server speaks to people.

Spec: RFC 5255 §3.2, §3.3; RFC 4647 §3.4; RFC 2277 §4.5 (i-default).  Status: complete; English is what there is.
"""

from typing import Final

from mailserver.base.errors import PeerError
from mailserver.imap import response
from mailserver.imap.conversation import Conversation, Send
from mailserver.imap.errors import Code
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, conversation
from mailserver.imap.session import Session

SPOKEN: Final = ("EN", "I-DEFAULT")
RANGES: Final = 100  #: more than anybody speaks


def parse(p: Parser) -> list[str]:
    """*(SP lang-range-quoted), in upper case (RFC 5255 §3.5)."""
    ranges: list[str] = []
    while p.accept(b" "):
        try:
            ranges.append(p.astring().decode("ascii").upper())
        except UnicodeDecodeError:
            raise PeerError("a language range is ASCII") from None
        if len(ranges) > RANGES:
            raise p.error("too many language ranges")
    return ranges


@conversation("LANGUAGE", state=State.ANY, parse=parse, capability="LANGUAGE")
def language(session: Session, args: list[str]) -> Conversation:
    """Without arguments what is spoken; else the first of them that is (RFC 5255 §3.2)."""
    if args:
        chosen = [found for wanted in args if (found := lookup(wanted))][:1]
        if not chosen:
            raise Code("", f"Unsupported language {args[0][:100]}")
    else:
        chosen = list(SPOKEN)
    yield Send([response.line(f"LANGUAGE ({' '.join(chosen)})".encode())])
    return None


def lookup(wanted: str) -> str:
    """The language that serves a range: itself or what it is a kind of (RFC 4647 §3.4); "" if none does."""
    if wanted == "DEFAULT":
        return "I-DEFAULT"
    if wanted == "*":
        return "EN"
    while wanted and wanted not in SPOKEN:
        wanted = wanted.rpartition("-")[0]
    return wanted
