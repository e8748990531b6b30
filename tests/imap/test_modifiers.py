"""What stands in parentheses behind SELECT, FETCH and STORE: values to wire and back, and whatever else may come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.base.ids import ModSeq
from mailserver.base.limits import ImapLimits
from mailserver.base.numset import NumSet, compress
from mailserver.imap.commands.select import parse as parse_select
from mailserver.imap.commands.store import parse as parse_store
from mailserver.imap.errors import UidRequired
from mailserver.imap.fetching.modifiers import Modifiers, parse_modifiers
from mailserver.imap.parser import Parser
from mailserver.imap.partial import Partial
from mailserver.imap.resync import Resync, parse_resync

MODSEQS = st.integers(1, (1 << 63) - 1)
UIDS = st.lists(st.integers(1, 4_294_967_295), min_size=1, max_size=8, unique=True).map(sorted)
PIECES = st.lists(
    st.sampled_from(
        [
            *(b" ", b"(", b")", b"1", b"0", b"9", b":", b",", b"*", b"$", b"-", b"x", b"\xff"),
            *(b"QRESYNC", b"CONDSTORE", b"CHANGEDSINCE", b"VANISHED", b"PARTIAL"),
            *(b"UNCHANGEDSINCE", b"+FLAGS"),
        ]
    ),
    max_size=14,
).map(b"".join)


def parser(wire: bytes, *, is_uid: bool = True, is_uid_only: bool = False) -> Parser:
    return Parser(wire, ImapLimits(), is_uid=is_uid, is_uid_only=is_uid_only)


def numbers(values: list[int], *, is_uid: bool) -> NumSet:
    runs = [part.partition(":") for part in compress(values).split(",")]
    return NumSet(tuple((int(a), int(b or a)) for a, _, b in runs), is_uid)


@pytest.mark.rfc(7162, "7")
@given(st.integers(1, 4_294_967_295), MODSEQS, st.none() | UIDS, st.none() | st.data())
def test_what_a_client_knows(
    uidvalidity: int, modseq: int, known: list[int] | None, data: st.DataObject | None
) -> None:
    match = None
    wire = f" ({uidvalidity} {modseq}"
    if known:
        wire += f" {compress(known)}"
    if data is not None:
        seqs = data.draw(UIDS)
        size = len(seqs)
        uids = sorted(
            data.draw(st.sets(st.integers(1, 4_294_967_295), min_size=size, max_size=size))
        )
        match = numbers(seqs, is_uid=False), numbers(uids, is_uid=True)
        wire += f" ({compress(seqs)} {compress(uids)})"
    p = parser((wire + ")").encode())
    expected = numbers(known, is_uid=True) if known else None
    assert parse_resync(p) == Resync(uidvalidity, ModSeq(modseq), expected, match)
    p.end()


@pytest.mark.rfc(9586, "3.7")
def test_no_numbers_where_there_are_none() -> None:
    with pytest.raises(UidRequired):
        parse_resync(parser(b" (1 1 1:5 (1 1))", is_uid_only=True))
    assert parse_resync(parser(b" (1 1 1:5)", is_uid_only=True)).match is None


@pytest.mark.rfc(4466, "2.4")
@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"", Modifiers()),
        (b" (CHANGEDSINCE 7)", Modifiers(ModSeq(7))),
        (b" (changedsince 7 vanished)", Modifiers(ModSeq(7), vanished=True)),
        (b" (VANISHED CHANGEDSINCE 7)", Modifiers(ModSeq(7), vanished=True)),
        (b" (PARTIAL -1:-30 CHANGEDSINCE 7)", Modifiers(ModSeq(7), partial=Partial(-1, -30))),
    ],
)
def test_modifiers(wire: bytes, expected: Modifiers) -> None:
    p = parser(wire)
    assert parse_modifiers(p) == expected
    p.end()


@pytest.mark.parametrize(
    "wire",
    [
        b" (VANISHED CHANGEDSINCE 7)",
        b" (PARTIAL 1:2)",
        b" ()",
        b" (CHANGEDSINCE)",
        b" (CHANGEDSINCE 7",
    ],
)
def test_not_for_numbers_and_not_in_part(wire: bytes) -> None:
    with pytest.raises(PeerError):
        parse_modifiers(parser(wire, is_uid=False))


@given(PIECES | st.binary(max_size=40), st.booleans(), st.booleans())
def test_anything_is_understood_or_refused(wire: bytes, is_uid: bool, is_uid_only: bool) -> None:
    for parse, head in (
        (parse_resync, b" ("),
        (parse_modifiers, b" ("),
        (parse_select, b" INBOX ("),
        (parse_store, b" 1 ("),
    ):
        p = parser(head + wire, is_uid=is_uid, is_uid_only=is_uid_only)
        try:
            parse(p)
            p.end()
        except PeerError:
            pass
