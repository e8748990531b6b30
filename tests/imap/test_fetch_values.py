"""Values of FETCH made a column at a time say what the ones made one by one say (RFC 3501 §7.4.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.ids import Uid
from mailserver.imap import flags, wire
from mailserver.imap.fetching.chosen import choose
from mailserver.imap.fetching.item import Columns
from mailserver.imap.fetching.items.index import date_times, flag_texts
from mailserver.store.values import FlagRow

times = st.integers(-(2**31), 2**35)


@given(st.lists(times, max_size=20))
def test_dates(moments: list[int]) -> None:
    assert date_times(moments) == [wire.date_time(moment) for moment in moments]


@pytest.mark.rfc(3501, "9")
def test_a_date_has_two_places_for_the_day() -> None:
    assert date_times([0, 86_400 * 9 + 3_661]) == [
        b'" 1-Jan-1970 00:00:00 +0000"',
        b'"10-Jan-1970 01:01:01 +0000"',
    ]


rows = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 31), st.sampled_from(["", "$Work", "a b"])),
    unique_by=lambda row: row[0],
    max_size=30,
).map(sorted)
spans = st.lists(st.tuples(st.integers(1, 70), st.integers(1, 70)).map(sorted), max_size=3)


@given(rows, spans)
def test_flags(some: list[tuple[int, int, str]], recent: list[list[int]]) -> None:
    columns = Columns(
        [Uid(uid) for uid, _, _ in some],
        {"flags": [f for _, f, _ in some], "keywords": [k for _, _, k in some]},
        [(low, high) for low, high in recent],
    )
    assert flag_texts(columns) == [
        flags.text(f, k, is_recent=any(low <= uid <= high for low, high in recent))
        for uid, f, k in some
    ]


def test_changed_flags_replace_what_was_read() -> None:
    columns = Columns([Uid(3), Uid(5)], {"flags": [0, 0], "keywords": ["", "a"]}, ())
    changed = columns.with_flags({Uid(5): FlagRow(Uid(5), 1, "b", 9, False)})
    assert changed["flags"] == [0, 1]
    assert changed["keywords"] == ["", "b"]
    assert columns["flags"] == [0, 0]


@given(st.lists(st.integers(1, 40), unique=True, min_size=1).map(sorted), st.data())
def test_chosen_messages(uids: list[int], data: st.DataObject) -> None:
    """Spans of the view name the same messages as numbers and UIDs do, however they are cut."""
    from array import array

    cuts = data.draw(st.lists(st.integers(0, len(uids)), max_size=6, unique=True).map(sorted))
    pairs = [(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False) if a < b]
    chosen = choose(array("I", uids), pairs)
    wanted = [n for a, b in pairs for n in range(a, b)]
    assert list(chosen.seqs) == [n + 1 for n in wanted]
    assert list(chosen.uids) == [uids[n] for n in wanted]
    asked = chosen.which()
    there = [uids[n] for n in wanted]
    if asked and isinstance(asked[0], tuple):
        ((low, high),) = asked
        assert [u for u in uids if low <= u <= high] == there
    else:
        assert list(asked) == there
    kept = data.draw(st.lists(st.sampled_from(there), unique=True).map(sorted)) if there else []
    assert list(chosen.numbers_of(kept)) == [uids.index(u) + 1 for u in kept]
    half = len(chosen) // 2
    assert [*chosen.part(0, half).uids, *chosen.part(half, len(chosen)).uids] == there
