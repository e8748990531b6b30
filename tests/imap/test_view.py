"""What one client has been told (RFC 3501 §2.3.1.2, §5.2, §7.4.1)."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.base.ids import MailboxId, ModSeq, Uid, UidValidity
from mailserver.base.numset import STAR, NumSet
from mailserver.imap.dialect import Dialect
from mailserver.imap.telling import step
from mailserver.imap.view import View
from mailserver.store.values import Delta, FlagRow


def view(*uids: int, recent: tuple[int, int] | None = None) -> View:
    span = (Uid(recent[0]), Uid(recent[1])) if recent else None
    following = Uid((uids[-1] if uids else 0) + 1)
    return View(MailboxId(1), UidValidity(1), following, ModSeq(10), array("I", uids), {}, span)


def row(
    uid: int, flags: int = 0, *, new: bool = False, keywords: str = "", modseq: int = 11
) -> FlagRow:
    return FlagRow(Uid(uid), flags, keywords, ModSeq(modseq), new)


def delta(*rows: FlagRow, expunged: tuple[int, ...] = (), uidnext: int = 100) -> Delta:
    return Delta(ModSeq(11), Uid(uidnext), list(rows), [Uid(u) for u in expunged])


def said(v: View, d: Delta, *, expunges: bool = True, recent_from: int | None = None) -> list[str]:
    first = None if recent_from is None else Uid(recent_from)
    done = step(v, d, Dialect(), expunges=expunges, recent_from=first)
    return [r.decode().strip() for r in v.take(done)]


SET = NumSet


@pytest.mark.rfc(3501, "6.4.8", "9")
@pytest.mark.parametrize(
    ("messages", "uids"),
    [
        (SET(((1, 1),), False), [3]),
        (SET(((2, 3), (1, 1)), False), [3, 5, 8]),
        (SET(((1, STAR),), False), [3, 5, 8, 13]),
        (SET(((STAR, STAR),), False), [13]),
        (SET(((4, 2),), False), [5, 8, 13]),
        (SET(((5, 5), (13, 13)), True), [5, 13]),
        (SET(((4, 12),), True), [5, 8]),
        (SET(((14, STAR),), True), [13]),
        (SET(((99, 100),), True), []),
        (SET(((1, 4_294_967_295),), True), [3, 5, 8, 13]),
        (SET(((1, 3), (5, 5)), True), [3, 5]),
    ],
)
def test_select(messages: NumSet, uids: list[int]) -> None:
    assert list(view(3, 5, 8, 13).select(messages)) == uids


@pytest.mark.rfc(9051, "9")
def test_no_such_number() -> None:
    for messages in (SET(((5, 5),), False), SET(((1, 5),), False)):
        with pytest.raises(PeerError):
            view(3, 5, 8, 13).select(messages)
    with pytest.raises(PeerError):
        view().select(SET(((STAR, STAR),), False))
    assert list(view().select(SET(((1, STAR),), True))) == []


def test_numbers() -> None:
    v = view(3, 5, 8)
    assert [v.seq(u) for u in (3, 4, 8, 9)] == [1, None, 3, None]
    assert [v.uid(n) for n in (1, 2, 3)] == [3, 5, 8]
    with pytest.raises(PeerError):
        v.uid(0)
    assert v.numbered([1, 3, 4, 8, 20]) == [(1, 3), (3, 8)]


@pytest.mark.rfc(3501, "7.3.1", "7.3.2", "7.4.1", "7.4.2")
def test_everything_at_once() -> None:
    v = view(3, 5, 8)
    d = delta(
        row(5, 1), row(20, new=True), row(21, new=True, keywords="b A"), expunged=(3,), uidnext=22
    )
    assert said(v, d, recent_from=21) == [
        "* 1 EXPUNGE",
        "* 4 EXISTS",
        "* 1 RECENT",
        r"* FLAGS (\Answered \Flagged \Deleted \Seen \Draft A b)",
        r"* OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft A b \*)] Flags that are kept.",
        r"* 1 FETCH (UID 5 FLAGS (\Seen))",
    ]
    assert list(v.uids) == [5, 8, 20, 21]
    assert (v.modseq, v.uidnext) == (11, 22)
    assert v.is_recent(21)
    assert not v.is_recent(20)


@pytest.mark.rfc(3501, "7.4.1")
def test_expunges_wait_until_they_may_be_told() -> None:
    v = view(1, 2, 3, 4)
    assert said(
        v, delta(row(2, 1), row(9, new=True), expunged=(2, 4), uidnext=10), expunges=False
    ) == [
        "* 5 EXISTS",
        "* 0 RECENT",
    ]
    assert list(v.uids) == [1, 2, 3, 4, 9]
    later = Delta(ModSeq(12), Uid(10), [row(9, 2, modseq=12)], [Uid(3)])
    assert said(v, later, expunges=False) == [r"* 5 FETCH (UID 9 FLAGS (\Answered))"]
    assert said(v, Delta(ModSeq(13), Uid(10), [], []), expunges=True) == [
        "* 4 EXPUNGE",
        "* 3 EXPUNGE",
        "* 2 EXPUNGE",
    ]
    assert list(v.uids) == [1, 9]
    assert v.gone == ()


def test_arrays_are_never_changed_in_place() -> None:
    v = view(1, 2, 3)
    before = v.uids
    said(v, delta(row(9, new=True), expunged=(1,), uidnext=10))
    assert list(before) == [1, 2, 3]
    shared = array("I", [2, 3, 9, 10])
    later = Delta(ModSeq(12), Uid(11), [row(10, new=True, modseq=12)], [])
    v.take(step(v, later, Dialect(), expunges=True, shared=shared))
    assert v.uids is shared


@pytest.mark.rfc(3501, "2.3.2")
def test_recent_is_counted_and_shown() -> None:
    v = view(3, 5, 8, recent=(5, 8))
    assert v.recent == 2
    assert said(v, delta(row(5, 1))) == [r"* 2 FETCH (UID 5 FLAGS (\Seen \Recent))"]
    assert said(v, delta(expunged=(8,))) == ["* 3 EXPUNGE", "* 1 RECENT"]
    assert v.recent == 1


@given(
    st.sets(st.integers(1, 50)),
    st.sets(st.integers(1, 50)),
    st.sets(st.integers(51, 60)),
    st.booleans(),
)
def test_a_client_that_counts_along_agrees(
    old: set[int], gone: set[int], new: set[int], told_at_once: bool
) -> None:
    v = view(*sorted(old))
    client: list[int | None] = sorted(old)
    d = delta(*(row(u, new=True) for u in sorted(new)), expunged=tuple(sorted(gone)), uidnext=61)
    out = v.take(step(v, d, Dialect(), expunges=told_at_once))
    later = Delta(ModSeq(12), Uid(61), [], [])
    out += v.take(step(v, later, Dialect(), expunges=True))
    for r in out:
        _, number, what = r.decode().split(" ")[:3]
        if what.strip() == "EXPUNGE":
            del client[int(number) - 1]
        elif what.strip() == "EXISTS":
            client += [None] * (int(number) - len(client))
    known = [u for u in client if u is not None]
    assert len(client) == len(v.uids)
    assert known == list(v.uids)[: len(known)]
    assert list(v.uids) == sorted((old - gone) | new)
