r"""From what happened in a mailbox to what one client hears of it: a view's next state, and how it is told.

`step` only reads, so that it may run in any thread while nobody else changes the view.

Spec: RFC 3501 §5.2, §7.3, §7.4.1; RFC 9051 §7.4; RFC 7162 §3.2, §3.2.10.2, §6.  Status: complete.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mailserver.base.ids import ModSeq, Uid
from mailserver.imap import flags, response
from mailserver.imap.dialect import Dialect
from mailserver.imap.response import Response
from mailserver.store.values import Delta, FlagRow

if TYPE_CHECKING:
    from mailserver.imap.view import View


class Step(NamedTuple):
    """What to say, and the fields of the view once that is said."""

    responses: list[Response]
    uids: "array[int]"
    gone: tuple[Uid, ...]
    modseq: ModSeq
    synced: ModSeq
    sent: ModSeq
    uidnext: Uid
    keywords: Mapping[str, str]
    recent_spans: tuple[tuple[Uid, Uid], ...]
    recent: int


def size(view: "View", delta: Delta) -> int:
    """How much work `step` is, in messages that it looks at one by one."""
    everything = len(view.uids) if delta.present is not None else 0
    return len(delta.flags) + len(delta.expunged) + len(view.gone) + everything


def step(
    view: "View",
    delta: Delta,
    dialect: Dialect,
    *,
    expunges: bool,
    recent_from: Uid | None = None,
    shared: "array[int] | None" = None,
    known: Mapping[Uid, ModSeq] | None = None,
) -> Step:
    r"""What the client has to hear of *delta*, which starts at the view's modseq.

    Order: EXPUNGE or VANISHED, EXISTS, RECENT, FLAGS, FETCH, HIGHESTMODSEQ.
    expunges:     EXPUNGE may be sent now; otherwise they wait in *gone* (RFC 3501 §7.4.1).
    recent_from:  new messages from here on have \Recent in this session.
    shared:       the mailbox's UIDs as of *delta*, used in place of an own copy if nothing waits in *gone*.
    known:        rows that the client has been told already, or knows because it asked for them: UID -> modseq.
    """
    out: list[Response] = []
    gone, uids = _gone(view, delta), view.uids
    spans, recent = view.recent_spans, view.recent
    if gone and expunges:
        numbered = view.numbered(gone)
        out += dialect.expunged(numbered)
        if spans:
            recent -= sum([view.is_recent(uid) for _, uid in numbered])
        uids, gone = _without(uids, [seq for seq, _ in numbered]), ()
    new = array("I", [row.uid for row in delta.flags if row.is_new])
    if new:
        if recent_from is not None and new[-1] >= recent_from:
            spans = _extend(spans, Uid(max(new[0], recent_from)), Uid(new[-1]))
            recent += len(new) - bisect_left(new, recent_from)
        uids = uids + new if shared is None or gone else shared
        out.append(response.exists(len(uids)))
    elif shared is not None and not gone:
        uids = shared
    if dialect.has_recent and (new or recent != view.recent):
        out.append(response.recent(recent))
    keywords, said = with_keywords(
        view.keywords, (row.keywords for row in delta.flags if row.keywords), view.settable
    )
    out += said
    changed = [row for row in delta.flags if not row.is_new]
    if known:
        changed = [row for row in changed if known.get(row.uid) != row.modseq]
    told = _told(uids, set(gone), changed, dialect, view)
    out += told
    if dialect.has_modseq and view.gone and not gone:  # what was held back is told (RFC 7162 §6)
        out.append(highest_modseq(delta.modseq))
    return Step(
        out,
        uids,
        gone,
        delta.modseq,
        view.synced if gone else delta.modseq,
        delta.modseq if told else view.sent,
        delta.uidnext,
        keywords,
        spans,
        recent,
    )


def highest_modseq(modseq: ModSeq) -> Response:
    """Everything up to *modseq* has been told (RFC 7162 §3.1.2.1, §6)."""
    return response.ok(f"HIGHESTMODSEQ {modseq}", "All changes up to here are told.")


def with_keywords(
    known: Mapping[str, str], joined: Iterable[str], settable: str
) -> tuple[Mapping[str, str], list[Response]]:
    r"""The *known* keywords, by their lower case, with those in *joined*; FLAGS and PERMANENTFLAGS if any is new.

    RFC 3501 §7.2.6.  joined: one row's each, joined with spaces.   settable: see `flag_names`.
    """
    fresh: dict[str, str] = {}
    for words in set(joined):
        for name in words.split(" "):
            if name.lower() not in known:
                fresh[name.lower()] = name
    if not fresh:
        return known, []
    keywords = {**known, **fresh}
    return keywords, flag_names(keywords.values(), settable)


def flag_names(keywords: Iterable[str], settable: str) -> list[Response]:
    r"""FLAGS and PERMANENTFLAGS of a mailbox with *keywords* (RFC 3501 §7.1, §7.2.6; RFC 4314 §5.1.1).

    settable: those of the rights "s", "t" and "w" that flags can be changed with (RFC 4314 §4, STORE); nobody can in a
    mailbox that is open for reading only.  Who may set keywords may make some up, hence \*.
    """
    words = sorted(keywords, key=str.lower)
    names = b" ".join((*flags.SYSTEM, *(word.encode("ascii") for word in words)))
    permanent = [name for name, right in flags.RIGHTS.items() if right in settable]
    if "w" in settable:
        permanent += [*words, "\\*"]
    return [
        response.flags(names),
        response.ok(f"PERMANENTFLAGS ({' '.join(permanent)})", "Flags that are kept."),
    ]


def _gone(view: "View", delta: Delta) -> tuple[Uid, ...]:
    """What the client still counts and is no more."""
    if delta.present is not None:
        here = set(delta.present)
        return tuple([Uid(uid) for uid in view.uids if uid not in here])
    fresh = [uid for _, uid in view.numbered(delta.expunged)] if delta.expunged else ()
    return tuple(sorted({*view.gone, *fresh})) if fresh else view.gone


def _without(uids: "array[int]", numbers: Sequence[int]) -> "array[int]":
    """*uids* without those that have the ascending *numbers*."""
    rest, at = array("I"), 0
    for number in numbers:
        rest.extend(uids[at : number - 1])
        at = number
    rest.extend(uids[at:])
    return rest


def _told(
    uids: "array[int]",
    hidden: set[Uid],
    rows: Iterable[FlagRow],
    dialect: Dialect,
    view: "View",
) -> list[Response]:
    """FETCH with the flags of those of the ascending *rows* that the client knows and that are not *hidden*."""
    out: list[Response] = []
    at, count = 0, len(uids)
    for row in rows:
        uid = row.uid
        if at >= count or uids[at] != uid:  # not the next one
            at = bisect_left(uids, uid, at)
        if at < count and uids[at] == uid:
            at += 1
            if uid not in hidden:
                out.append(view.told(row, at, dialect))
    return out


def _extend(spans: tuple[tuple[Uid, Uid], ...], low: Uid, high: Uid) -> tuple[tuple[Uid, Uid], ...]:
    if spans and spans[-1][1] >= low - 1:
        return (*spans[:-1], (spans[-1][0], high))
    return (*spans, (low, high))
