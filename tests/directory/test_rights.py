"""Rights: letters, their virtual companions, and what a list of them amounts to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.directory import rights
from mailserver.directory.rights import ALL, Entry

LETTERS = st.text(alphabet=ALL + "cd", max_size=20)
ENTRIES = st.lists(st.builds(Entry, LETTERS.map(rights.read), st.booleans()), max_size=6)


@pytest.mark.rfc(4314, "2.1.1")
@pytest.mark.parametrize(
    ("text", "read", "shown"),
    [
        ("", "", ""),
        ("lrswipkxtea", "lrswipkxtea", "lrswipkxteacd"),
        ("lrswida", "lrswitea", "lrswitead"),  # the RFC's David
        ("c", "kx", "kxc"),
        ("d", "te", "ted"),
        ("k", "k", "kc"),
        ("e", "e", "ed"),
        ("dte", "te", "ted"),
        ("rrl", "lr", "lr"),
    ],
)
def test_letters(text: str, read: str, shown: str) -> None:
    assert rights.read(text) == read
    assert rights.shown(read) == shown


@pytest.mark.rfc(4314, "3.1")
@pytest.mark.parametrize("text", ["lrQ", "lrq", "0", "l r", "+l", "\xe4", "-"])
def test_unknown_letters_are_never_passed_over(text: str) -> None:
    with pytest.raises(PeerError):
        rights.read(text)


@pytest.mark.rfc(4314, "3.1")
@pytest.mark.parametrize(
    ("was", "modification", "now"),
    [
        ("lrswi", "+cda", "lrswikxtea"),  # the RFC's Chris
        ("lrswi", "-w", "lrsi"),
        ("lrs", "-d", "lrs"),
        ("lrs", "", ""),
        ("lrs", "+", "lrs"),
        ("lrs", "-", "lrs"),
        ("lrs", "a", "a"),
    ],
)
def test_modifications(was: str, modification: str, now: str) -> None:
    assert rights.modified(was, modification) == now


@given(LETTERS, LETTERS)
def test_adding_and_taking_away(was: str, letters: str) -> None:
    before, some = rights.read(was), rights.read(letters)
    more = rights.modified(before, "+" + letters)
    less = rights.modified(before, "-" + letters)
    assert set(more) == set(before) | set(some)
    assert set(less) == set(before) - set(some)
    assert set(before) <= set(rights.read(rights.shown(before)))


@given(ENTRIES, ENTRIES)
def test_rights_of_several_entries(some: list[Entry], more: list[Entry]) -> None:
    r"""A union without what any negative entry takes; the order says nothing; nothing is given by taking."""
    have = rights.effective(some + more)
    assert have == rights.effective(more + some) == rights.ordered(have)
    given_ = {r for e in some + more if not e.is_negative for r in e.rights}
    taken = {r for e in some + more if e.is_negative for r in e.rights}
    assert set(have) == given_ - taken
    assert set(rights.effective([*some, Entry("lr", is_negative=True)])) <= set(
        rights.effective(some)
    ) - set("lr")
