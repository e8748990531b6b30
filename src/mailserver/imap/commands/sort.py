"""SORT: which messages match, in the order that the client wants.

Spec: RFC 5256 §3, §4, §5; RFC 5957; RFC 5267 §3, §4; RFC 6203 §6; RFC 7162 §3.1.9, §3.1.10;
RFC 5255 §4.2, §4.5.  Status: complete.
"""

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

from mailserver.imap.commands.search import parse_in
from mailserver.imap.conversation import Conversation, Effect
from mailserver.imap.parser import Parser
from mailserver.imap.progress import Progress
from mailserver.imap.registry import State, announce, conversation
from mailserver.imap.searching import answer
from mailserver.imap.searching.answer import Origin, Result
from mailserver.imap.searching.contexts import check_tag, follow
from mailserver.imap.searching.program import Program
from mailserver.imap.searching.relevancy import is_wanted, scores
from mailserver.imap.searching.returning import Returning, parse_returning
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
from mailserver.imap.sorting.criteria import Criteria, parse_criteria
from mailserver.imap.sorting.order import arrange

for _name in ("CONTEXT=SORT", "SORT=DISPLAY", "ESORT", "I18NLEVEL=1"):
    announce(_name, State.AUTHENTICATED)


@dataclass(frozen=True, slots=True)
class SortArgs:
    """program: None where the charset is not known.      is_uid: UIDs are asked for."""

    returning: Returning | None
    criteria: Criteria
    program: Program | None
    is_uid: bool


def parse(p: Parser) -> SortArgs:
    """[SP "RETURN" ...] SP sort-criteria SP charset 1*(SP search-key) (RFC 5256 §5; RFC 5267 §5)."""
    returning = parse_returning(p.sp())
    criteria = parse_criteria(p)
    charset = p.sp().astring()
    p.sp()
    program = parse_in(p, charset)
    is_wanted(program, returning, criteria)
    return SortArgs(returning, criteria, program, p.is_uid)


@conversation(
    "SORT", state=State.SELECTED, parse=parse, uid_variant=True, expunges=False, capability="SORT"
)
def sort(session: Session, args: SortArgs) -> Conversation:
    """One SORT or ESEARCH response (RFC 5256 §4; RFC 5267 §3.1)."""
    yield from saving(session, args.returning, _sort(session, args))
    return None


def _sort(session: Session, args: SortArgs) -> Generator[Effect, Any, None]:
    returning = args.returning
    check_tag(session, returning)
    scope = scope_of(session)
    progress = Progress(session)
    found = yield from find_selected(session, args.program, scope, progress)
    assert args.program is not None  # as `find_selected` has seen to
    by_place: dict[int, int] | None = None
    if is_wanted(args.program, returning, args.criteria):
        by_place = yield from scores(args.program, scope, found)
    places = yield from arrange(session, args.criteria, scope, found, progress, by_place)
    uids = yield from numbers(places, scope.uids, is_uid=True)
    yield from save(session, returning, uids)
    modseq = yield from highest_modseq(args.program, returning, scope.mailbox, uids)
    shown = uids if args.is_uid else (yield from numbers(places, scope.uids, is_uid=False))
    scored = None if by_place is None else [by_place[place] for place in places]
    result = Result(shown, modseq, scored)
    origin = Origin(session.tag, args.is_uid)
    if returning is None:
        yield from say(partial(answer.plain, b"SORT", result), len(places))
    elif not returning.is_silent:
        yield from say(partial(answer.extended, origin, returning, result), len(places))
    yield from follow(session, returning, origin, args.program, uids, args.criteria)
