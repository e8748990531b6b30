"""ESEARCH: a search in several mailboxes.

Spec: RFC 7377; RFC 5267 §4.3; RFC 4314 §4; RFC 5530 §3 (LIMIT).  Status: complete.

Each mailbox is searched as SEARCH would do it, its sequence numbers its own.  In every transaction it is looked at anew
whether the user may still read it; a mailbox that he may not read, or that is gone, has no results.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from mailserver.base.errors import LimitReached, NotFound, PeerError
from mailserver.base.ids import MailboxId, UidValidity
from mailserver.imap import access, names
from mailserver.imap.commands.search import check_charset, parse_charset, parse_in
from mailserver.imap.conversation import Conversation, Effect, Read, Send
from mailserver.imap.errors import Code
from mailserver.imap.mailbox_filters import Filter, has_selected, parse_filter, resolve
from mailserver.imap.parser import Parser
from mailserver.imap.progress import Progress
from mailserver.imap.registry import State, conversation
from mailserver.imap.searching import answer
from mailserver.imap.searching.answer import Origin, Result
from mailserver.imap.searching.contexts import check_tag, follow, no_update
from mailserver.imap.searching.program import Program
from mailserver.imap.searching.relevancy import is_wanted, scores
from mailserver.imap.searching.returning import EVERYTHING, Returning, parse_returning
from mailserver.imap.searching.run import (
    CHARSETS,
    Scope,
    find,
    find_selected,
    highest_modseq,
    numbers,
    save,
    saving,
    say,
    scope_of,
)
from mailserver.imap.session import Session
from mailserver.imap.snapshots import Snapshot
from mailserver.store.tx import Read as ReadTx

SELECTED = (Filter("SELECTED"),)


@dataclass(frozen=True, slots=True)
class EsearchArgs:
    """program: makes the program, a new one for each mailbox; gives None where the charset is not known."""

    sources: tuple[Filter, ...]
    returning: Returning
    program: Callable[[], Program | None]
    has_charset: bool


class _Place(NamedTuple):
    """A mailbox that is searched, its name in wire form."""

    name: bytes
    mailbox: MailboxId
    uidvalidity: UidValidity
    is_selected: bool = False


class _NotReadable(NotFound):
    """The mailbox is gone, or the user may not read it any more."""


def parse(p: Parser) -> EsearchArgs:
    """[SP "IN" SP "(" source-mbox ")"] [SP "RETURN" ...] [SP "CHARSET" ...] 1*(SP search-key) (RFC 7377 §4)."""
    p.sp()
    sources: Sequence[Filter] = SELECTED
    if p.accept(b"IN "):
        sources = p.group(parse_filter)
        p.sp()
    returning = parse_returning(p) or EVERYTHING
    if returning.saves and tuple(sources) != SELECTED:
        raise p.error("SAVE is for the selected mailbox alone")
    charset = parse_charset(p)
    codec = b"utf-8" if charset is None else charset
    start = p.at
    is_wanted(parse_in(p, codec), returning)  # whether it can be read

    def program() -> Program | None:
        again = Parser(p.line, p.limits, at=start, is_utf8=p.is_utf8, is_uid_only=p.is_uid_only)
        return parse_in(again, codec)

    return EsearchArgs(tuple(sources), returning, program, charset is not None)


# RFC 7377 §2 shows it with "UID" in front, too
@conversation("ESEARCH", state=State.AUTHENTICATED, parse=parse, uid_only=True)
@conversation("ESEARCH", state=State.AUTHENTICATED, parse=parse, capability="MULTISEARCH")
def esearch(session: Session, args: EsearchArgs) -> Conversation:
    """An ESEARCH response for each mailbox in which something is found, always with UIDs (RFC 7377 §2.1).

    Raises LimitReached for too many mailboxes.
    """
    yield from saving(session, args.returning, _esearch(session, args))
    return None


def _esearch(session: Session, args: EsearchArgs) -> Generator[Effect, Any, None]:
    check_charset(session, args.has_charset)
    view = session.selected
    if view is None and (has_selected(args.sources) or args.returning.updates):
        raise PeerError("no mailbox is selected")
    if view is not None:
        check_tag(session, args.returning)
    places: list[_Place] = yield Read(partial(_places, session, args.sources))
    progress = Progress(session)
    done = 0
    is_followed = False
    for place in places:
        program = args.program()
        if place.is_selected:
            scope = scope_of(session)
            found = yield from find_selected(session, program, scope, progress)
            uids = yield from numbers(found, scope.uids, is_uid=True)
            yield from save(session, args.returning, uids)
            modseq = yield from _modseq(program, args.returning, scope, uids)
            scored = yield from _scored(program, args.returning, scope, found)
        else:
            if program is None:
                raise Code(f"BADCHARSET ({CHARSETS})", "This charset is not known here.")
            try:
                scope = yield from _scope(session, place)
                found = yield from _inside(session, place, find(program, scope, progress, done))
                uids = yield from numbers(found, scope.uids, is_uid=True)
                modseq = yield from _inside(
                    session, place, _modseq(program, args.returning, scope, uids)
                )
                scored = yield from _inside(
                    session, place, _scored(program, args.returning, scope, found)
                )
            except _NotReadable:
                continue
        done += len(scope.uids)
        origin = Origin(session.tag, True, (place.name, place.uidvalidity))
        if uids and not args.returning.is_silent:
            result = Result(uids, modseq, scored)
            pieces = partial(answer.extended, origin, args.returning, result)
            yield from say(pieces, len(uids))
        if place.is_selected and program is not None:
            is_followed = True
            yield from follow(session, args.returning, origin, program, uids)
    if args.returning.updates and not is_followed:
        yield Send([no_update(session.tag, "The selected mailbox is not among them")])


def _scope(session: Session, place: _Place) -> Generator[Effect, Any, Scope]:
    r"""All messages of a mailbox that is not selected; none of them is \Recent.  Raises _NotReadable."""
    snapshots = session.server.snapshots

    def job(tx: ReadTx) -> Snapshot:
        mailbox = tx.mailboxes.by_id(place.mailbox)
        if mailbox is None:
            raise _NotReadable("The mailbox is gone.")
        return snapshots.read(tx, mailbox)

    snapshot: Snapshot = yield Read(partial(_enter, session, place, job))
    snapshots.put(place.mailbox, snapshot)
    return Scope(place.mailbox, snapshot.uids, now=int(session.server.now()))


def _modseq(
    program: Program | None, returning: Returning, scope: Scope, uids: Sequence[int]
) -> Generator[Effect, Any, int]:
    assert program is not None
    return (yield from highest_modseq(program, returning, scope.mailbox, uids))


def _scored(
    program: Program | None, returning: Returning, scope: Scope, found: Sequence[int]
) -> Generator[Effect, Any, list[int] | None]:
    if program is None or not is_wanted(program, returning):
        return None
    by_place = yield from scores(program, scope, found)
    return list(by_place.values())


def _places(session: Session, sources: Sequence[Filter], tx: ReadTx) -> list[_Place]:
    """The mailboxes to search, the selected one first; each once (RFC 7377 §2.2)."""
    out: list[_Place] = []
    view = session.selected
    others = resolve(session, tx, sources)
    is_wanted = has_selected(sources)
    if view is not None and (is_wanted or any(o.mailbox.id == view.mailbox for o in others)):
        selected = tx.mailboxes.by_id(view.mailbox)
        if selected is not None:
            name = access.client_name(session, tx, selected)
            wire = names.encode(name, is_utf8=session.is_utf8)
            out.append(_Place(wire, view.mailbox, view.uidvalidity, is_selected=True))
    if len(others) > session.limits.searched_mailboxes:
        raise LimitReached(f"At most {session.limits.searched_mailboxes} mailboxes in one ESEARCH")
    for name, mailbox in others:
        if view is None or mailbox.id != view.mailbox:
            wire = names.encode(name, is_utf8=session.is_utf8)
            out.append(_Place(wire, mailbox.id, mailbox.uidvalidity))
    return out


def _inside(
    session: Session, place: _Place, talk: Generator[Effect, Any, Any]
) -> Generator[Effect, Any, Any]:
    """*talk*, each of whose transactions looks first whether the user may read the mailbox.

    Raises _NotReadable.
    """
    value: Any = None
    while True:
        try:
            effect = talk.send(value)
        except StopIteration as stop:
            return stop.value
        if isinstance(effect, Read):
            effect = replace(effect, job=partial(_enter, session, place, effect.job))
        value = yield effect


def _enter(session: Session, place: _Place, job: Callable[[ReadTx], Any], tx: ReadTx) -> Any:
    mailbox = tx.mailboxes.by_id(place.mailbox)
    if mailbox is None or mailbox.uidvalidity != place.uidvalidity or not mailbox.is_selectable:
        raise _NotReadable("The mailbox is gone.")
    if mailbox.account != session.account.id:
        rights = access.rights(session, tx, mailbox)
        if "r" not in rights:
            raise _NotReadable("You may no longer read this mailbox.")
        tx.enter(mailbox.id, session.account.id, rights)
    return job(tx)
