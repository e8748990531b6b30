"""Searches that are kept up to date: the client hears which messages come into a result, and which leave it.

Spec: RFC 5267 §4.3; RFC 7377 §2.2.  Status: complete.

Only messages that have changed are tried again.  What leaves a result is said before all other news, so that numbers
still mean what the client thinks; what comes in is said after them.
"""

from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from mailserver.base.errors import PeerError
from mailserver.base.ids import MailboxId, Uid
from mailserver.imap import response
from mailserver.imap.conversation import Effect, Read, Send
from mailserver.imap.fetching.plan import Plan
from mailserver.imap.response import Response
from mailserver.imap.searching.answer import Origin, sequence_set
from mailserver.imap.searching.bits import select
from mailserver.imap.searching.key import Slice
from mailserver.imap.searching.program import Program
from mailserver.imap.searching.returning import Returning
from mailserver.imap.searching.run import ROWS
from mailserver.imap.searching.scan import Scan
from mailserver.imap.session import Session
from mailserver.imap.sorting.criteria import RELEVANCY, Criteria
from mailserver.imap.sorting.order import Keys, place_of
from mailserver.imap.telling import Step
from mailserver.imap.view import View
from mailserver.store.tx import Read as ReadTx
from mailserver.store.values import Delta

#: messages that are put into a sorted result in one transaction
_INSERTED_AT_ONCE: Final = 25

#: changes of a result that are made one by one; with more of them it is put together anew
_ONE_BY_ONE: Final = 500

#: a position in a result, and UIDs that come in or leave there
_Pair: TypeAlias = tuple[int, Sequence[int]]


@dataclass(slots=True)
class Context:
    """One search whose result the client follows.

    criteria: what the result is sorted by; None for mailbox order.
    uids:     the result, in its order.
    fetches:  what is told of new messages that come into it (RFC 5465 §7).
    """

    origin: Origin
    program: Program
    criteria: Criteria | None
    uids: "array[int]"
    fetches: Plan | None = None


class Updates(NamedTuple):
    """What is to be said before the other news and after them, and in between: plans with UIDs of new messages."""

    before: list[Response]
    after: list[Response]
    fetches: list[tuple[Plan, list[Uid]]]


def check_tag(session: Session, returning: Returning | None) -> None:
    """Raises PeerError where the search asks for updates under a tag that has some (RFC 5267 §4.3)."""
    if returning is not None and returning.updates and session.tag in session.view.contexts:
        raise PeerError("this tag is in use for updates")


def follow(
    session: Session,
    returning: Returning | None,
    origin: Origin,
    program: Program,
    uids: Sequence[int],
    criteria: Criteria | None = None,
) -> Generator[Effect, Any, None]:
    """Keep the search up to date from now on if the client asked for that; *uids* is its result, in its order.

    NOUPDATE says that there are too many already (RFC 5267 §4.3.1).
    """
    if returning is None or not returning.updates:
        return
    if any(one.name == RELEVANCY for one in criteria or ()):
        yield Send([no_update(origin.tag, "An order by relevancy is not kept up to date")])
        return
    contexts, limits = session.view.contexts, session.limits
    held = sum(len(context.uids) for context in contexts.values()) + len(uids)
    if len(contexts) >= limits.contexts or (contexts and held > limits.context_messages):
        yield Send([no_update(origin.tag, "Too many contexts")])
        return
    result = uids[:] if isinstance(uids, array) else array("I", uids)
    contexts[origin.tag] = Context(origin, program, criteria, result, returning.fetches)


def no_update(tag: bytes, why: str) -> Response:
    """There will be no updates for the search that had *tag* (RFC 5267 §4.3.1)."""
    text = tag.decode("ascii").replace("\\", "\\\\").replace('"', '\\"')
    return response.untagged("NO", f'NOUPDATE "{text}"', why)


def updates(session: Session, delta: Delta, step: Step) -> Generator[Effect, Any, Updates]:
    """What is to be said before and after *step*, which tells of *delta*, to keep the client's results true."""
    view = session.view
    before: list[Response] = []
    after: list[Response] = []
    fetches: list[tuple[Plan, list[Uid]]] = []
    if not view.contexts:
        return Updates(before, after, fetches)
    changed = array("I", [row.uid for row in delta.flags if _has(step.uids, row.uid)])
    gone = _gone(view, delta)
    for context in view.contexts.values():
        if session.is_uid_only and not context.origin.is_uid:
            continue  # there are no numbers any more (RFC 9586 §3)
        tried = _with_last(changed, view, step) if context.program.asks_last else changed
        matching = yield from _matching(session, context.program, tried, step)
        if context.fetches is not None:
            new = [row.uid for row in delta.flags if row.is_new and row.uid in matching]
            fetches += [(context.fetches, new)] if new else []
        left = [*gone, *(uid for uid in tried if uid not in matching)]
        if context.criteria is None:
            removed, added = _in_mailbox_order(context, left, matching)
        else:
            removed, added = yield from _in_their_order(
                context, context.criteria, view, left, matching
            )
        before += _said(context, b"REMOVEFROM", removed, view.uids)
        after += _said(context, b"ADDTO", added, step.uids)
    return Updates(before, after, fetches)


def _with_last(changed: "array[int]", view: View, step: Step) -> "array[int]":
    """*changed*, and the messages that were and are the last one: what "*" means has changed for them."""
    last = {*view.uids[-1:], *step.uids[-1:]}.difference(step.gone)
    return array("I", sorted(uid for uid in {*changed, *last} if _has(step.uids, uid)))


def _matching(
    session: Session, program: Program, changed: "array[int]", step: Step
) -> Generator[Effect, Any, set[int]]:
    """Those of the *changed* messages that match now."""
    found: set[int] = set()
    now = int(session.server.now())
    for start in range(0, len(changed), ROWS):
        part = changed[start : start + ROWS]
        slice_ = Slice(
            part,
            bisect_left(step.uids, part[0]) + 1,
            len(step.uids),
            step.uids[-1],
            step.recent_spans,
            step.uids,
            session.view.saved,
            now,
            is_dense=False,
        )
        tried = Scan(program, session.view.mailbox, slice_)
        while not tried.is_done:
            yield Read(tried.step)
        found.update(select(tried.found, part))
    return found


def _in_mailbox_order(
    context: Context, left: Iterable[int], matching: Iterable[int]
) -> tuple[list[_Pair], list[_Pair]]:
    """Position 0: the client knows where they belong (RFC 5267 §4.3.3, §4.3.4)."""
    uids = context.uids
    removed = sorted({uid for uid in left if _has(uids, uid)})
    added = sorted({uid for uid in matching if not _has(uids, uid)})
    if len(removed) + len(added) > _ONE_BY_ONE:
        context.uids = array("I", sorted(set(uids).difference(removed).union(added)))
    else:
        for uid in removed:
            del uids[bisect_left(uids, uid)]
        for uid in added:
            uids.insert(bisect_left(uids, uid), uid)
    return [(0, removed)] if removed else [], [(0, added)] if added else []


def _in_their_order(
    context: Context,
    criteria: Criteria,
    view: View,
    left: Iterable[int],
    matching: Iterable[int],
) -> Generator[Effect, Any, tuple[list[_Pair], list[_Pair]]]:
    """Each message with its position at that moment, counted from 1: those that leave, then those that come."""
    uids = context.uids
    known = set(uids)
    removed: list[_Pair] = []
    for uid in sorted(known.intersection(left)):
        at = uids.index(uid)
        del uids[at]
        removed.append((at + 1, [uid]))
    added: list[_Pair] = []
    new = sorted(set(matching) - known)
    for start in range(0, len(new), _INSERTED_AT_ONCE):
        part = new[start : start + _INSERTED_AT_ONCE]
        added += yield Read(partial(_insert, view.mailbox, criteria, uids, part))
    return removed, added


def _insert(
    mailbox: MailboxId, criteria: Criteria, uids: "array[int]", new: Iterable[int], tx: ReadTx
) -> list[_Pair]:
    """Put the *new* messages into the sorted result *uids*, those that are still there; where they are now."""
    keys = Keys(mailbox, criteria, tx)
    pairs: list[_Pair] = []
    for uid in new:
        own = keys(uid)
        if own is not None:
            at = place_of(own, uids, keys)
            uids.insert(at, uid)
            pairs.append((at + 1, [uid]))
    return pairs


def _gone(view: View, delta: Delta) -> Sequence[int]:
    """What was expunged, whether or not the client may hear of that yet (RFC 5267 Appendix A.3)."""
    if delta.present is None:
        return delta.expunged
    here = frozenset(delta.present)
    return [uid for uid in view.uids if uid not in here]


def _said(
    context: Context, word: bytes, pairs: Sequence[_Pair], uids: Sequence[int]
) -> list[Response]:
    """The ESEARCH response with the changes *pairs*, none for none; *uids* are the mailbox's at that moment."""
    if not pairs:
        return []
    is_uid = context.origin.is_uid
    changes = [
        b"%d %b" % (position, b"".join(sequence_set(some if is_uid else _numbers(uids, some))))
        for position, some in pairs
    ]
    return [Response(b"%b %b (%b)\r\n" % (context.origin.head(), word, b" ".join(changes)))]


def _numbers(uids: Sequence[int], some: Iterable[int]) -> list[int]:
    return [bisect_left(uids, uid) + 1 for uid in some]


def _has(uids: Sequence[int], uid: int) -> bool:
    at = bisect_left(uids, uid)
    return at < len(uids) and uids[at] == uid
