"""New messages, fetched without being asked for each time.

Spec: RFC 5465 §5.2, §7.  Status: complete.
"""

from bisect import bisect_left
from collections.abc import Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mailserver.base.ids import Uid
from mailserver.imap.conversation import Chunk, Effect, Read, Send
from mailserver.imap.fetching import batch
from mailserver.imap.fetching.batch import Batch
from mailserver.imap.fetching.chosen import Chosen, choose
from mailserver.imap.fetching.plan import Plan

if TYPE_CHECKING:
    from mailserver.imap.session import Session
    from mailserver.store.tx import Read as ReadTx

#: messages that one transaction reads at most
ROWS: Final = 1_000


def arrivals(
    session: "Session", wanted: Sequence[tuple[Plan, Sequence[Uid]]]
) -> Generator[Effect, Any, None]:
    r"""FETCH responses for new messages, the last ones of the view, with what is *wanted* of each (RFC 5465 §5.2).

    A message is told of once for each different plan.  Nobody has seen it by that: no \Seen.
    """
    by_plan: dict[Plan, set[Uid]] = {}
    for plan, uids in wanted:
        by_plan.setdefault(plan, set()).update(uids)
    for plan, of_plan in by_plan.items():
        if of_plan:
            yield from _fetch(session, plan, sorted(of_plan))


def _fetch(session: "Session", plan: Plan, uids: Sequence[Uid]) -> Generator[Effect, Any, None]:
    view = session.view
    if session.has_condstore:
        plan = plan.with_modseq()
    span = bisect_left(view.uids, uids[0]), len(view.uids)
    chosen = choose(view.uids, [span]).among(set(uids))
    at = 0
    while at < len(chosen):
        got, chunks = yield Read(partial(_read, session, plan, chosen.part(at, at + ROWS)))
        names = view.tell_keywords(got.rows.keywords()) if plan.tells_flags else []
        if plan.tells_modseq:
            view.sent = max(view.sent, max(got.rows["modseq"], default=view.sent))
        yield Send([*names, *chunks])
        at += got.taken


def _read(
    session: "Session", plan: Plan, chosen: Chosen, tx: "ReadTx"
) -> tuple[Batch, Sequence[Chunk]]:
    spans = session.view.recent_spans if session.dialect.has_recent else ()
    got = batch.read(tx, session.view.mailbox, plan, chosen, spans)
    return got, plan.responses(got.seqs, got.rows, got.pieces, session.dialect)
