"""SEARCH: which messages match.

Spec: RFC 3501 §6.4.4, §6.4.8, §7.2.5; RFC 9051 §6.4.4; RFC 4731 §3; RFC 5182 §2; RFC 5267 §4; RFC 6203;
RFC 7162 §3.1.5, §3.1.6; RFC 6855 §3.  Status: complete.
"""

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

from mailserver.base.errors import PeerError
from mailserver.base.registry import scan
from mailserver.imap.conversation import Conversation, Effect
from mailserver.imap.parser import Parser
from mailserver.imap.progress import Progress
from mailserver.imap.registry import State, announce, conversation
from mailserver.imap.searching import answer, keys
from mailserver.imap.searching.answer import Origin, Result
from mailserver.imap.searching.contexts import check_tag, follow
from mailserver.imap.searching.program import Program, parse_program
from mailserver.imap.searching.relevancy import is_wanted, scores
from mailserver.imap.searching.returning import EVERYTHING, Returning, parse_returning
from mailserver.imap.searching.run import (
    find_selected,
    highest_modseq,
    numbers,
    save,
    saving,
    say,
    scope_of,
)
from mailserver.imap.session import Session
from mailserver.mime.charsets import codec_for

scan(keys)
for _name in ("CONTEXT=SEARCH", "ESEARCH", "SEARCH=FUZZY", "SEARCHRES"):
    announce(_name, State.ANY)


@dataclass(frozen=True, slots=True)
class SearchArgs:
    """program: None where the charset is not known.   has_charset: it was said.   is_uid: UIDs are asked for."""

    returning: Returning | None
    program: Program | None
    has_charset: bool
    is_uid: bool


def parse(p: Parser) -> SearchArgs:
    """[SP "RETURN" ...] [SP "CHARSET" SP astring] 1*(SP search-key) (RFC 9051 §9, search).

    Without CHARSET strings are UTF-8, of which US-ASCII is a part (RFC 9051 §6.4.4).
    """
    returning = parse_returning(p.sp())
    charset = parse_charset(p)
    program = parse_in(p, b"utf-8" if charset is None else charset)
    is_wanted(program, returning)
    return SearchArgs(returning, program, charset is not None, p.is_uid)


def parse_charset(p: Parser) -> bytes | None:
    """[ "CHARSET" SP astring SP ]; None where there is none."""
    if not p.accept(b"CHARSET "):
        return None
    charset = p.astring()
    p.sp()
    return charset


def check_charset(session: Session, has_charset: bool) -> None:
    """Raises PeerError for a charset that a client names although it has enabled UTF-8 (RFC 6855 §3)."""
    if has_charset and "UTF8=ACCEPT" in session.enabled:
        raise PeerError("with UTF8=ACCEPT there is no CHARSET")


def parse_in(p: Parser, charset: bytes) -> Program | None:
    """1*search-key up to the end, with strings in *charset*; None where that is not known here."""
    name = charset.decode("ascii", "replace")
    codec = codec_for(name[:80]) if name.strip() else None
    if codec is None:
        p.at = len(p.line)  # what follows cannot be read without it
        return None
    return parse_program(p, codec)


# numbers must keep their meaning while it runs (RFC 3501 §7.4.1)
@conversation("SEARCH", state=State.SELECTED, parse=parse, uid_variant=True, expunges=False)
def search(session: Session, args: SearchArgs) -> Conversation:
    """One SEARCH or ESEARCH response, in mailbox order (RFC 9051 §6.4.4)."""
    yield from saving(session, args.returning, _search(session, args))
    return None


def _search(session: Session, args: SearchArgs) -> Generator[Effect, Any, None]:
    returning = args.returning or (EVERYTHING if session.is_rev2 else None)
    check_charset(session, args.has_charset)
    check_tag(session, returning)
    scope = scope_of(session)
    progress = Progress(session, len(scope.uids))
    places = yield from find_selected(session, args.program, scope, progress)
    uids = yield from numbers(places, scope.uids, is_uid=True)
    yield from save(session, returning, uids)
    assert args.program is not None
    modseq = yield from highest_modseq(args.program, returning, scope.mailbox, uids)
    shown = uids if args.is_uid else (yield from numbers(places, scope.uids, is_uid=False))
    scored = None
    if is_wanted(args.program, returning):
        by_place = yield from scores(args.program, scope, places)
        scored = [by_place[place] for place in places]
    result = Result(shown, modseq, scored)
    origin = Origin(session.tag, args.is_uid)
    if returning is None:
        yield from say(partial(answer.plain, b"SEARCH", result), answer.work(shown))
    elif not returning.is_silent:
        yield from say(partial(answer.extended, origin, returning, result), len(places))
    yield from follow(session, returning, origin, args.program, uids)
